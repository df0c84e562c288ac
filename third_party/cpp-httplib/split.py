"""Splits the single header at its border line into declarations and inline definitions.

usage: split.py HEADER FOLDER; writes FOLDER/httplib.h and FOLDER/httplib.cc. The border is the
comment line of dashes that upstream keeps for this purpose.
"""
import pathlib
import re
import sys

BORDER = re.compile(r"^// -{60,}$")

header, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
declarations, definitions, in_definitions = [], ['#include "httplib.h"', "namespace httplib {"], False
for line in header.read_text().splitlines():
    if BORDER.match(line):
        in_definitions = not in_definitions
    elif in_definitions:
        definitions.append(line.replace("inline ", ""))
    else:
        declarations.append(line)
definitions.append("} // namespace httplib")
(folder / "httplib.h").write_text("\n".join(declarations) + "\n")
(folder / "httplib.cc").write_text("\n".join(definitions) + "\n")
