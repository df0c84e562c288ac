#!/usr/bin/env python3
"""Turns a table into a C++ constant without its comments: embed.py INPUT OUTPUT."""
import sys

lines = [line for line in open(sys.argv[1]) if not line.startswith("#")]
with open(sys.argv[2], "w") as out:
    out.write('#include "apiserver/roles/default_roles.h"\n\nnamespace skiff::apiserver {\n')
    out.write('std::string_view default_roles_text() {\n  return R"(' + "".join(lines) + ')";\n}\n')
    out.write("}  // namespace skiff::apiserver\n")
