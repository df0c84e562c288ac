#!/usr/bin/env python3
"""Layering, sizes and banned calls. Prints one line per finding; exit 1 if there is any.

The allowed edges are read from `<module>_uses` in src/*/meson.build, so there is one source of truth.
Run from the source root.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(".")
LINES_MAX = {".h": 400, ".cpp": 800, ".c": 800}
COLUMNS_MAX = 100
FILES_IN_FOLDER_MAX = 40
# path -> frozen line count: may only shrink
RATCHET = {}

# Third-party headers and the only modules that may include them.
OWNER = {
    "sqlite3.h": {"store"},
    "uv.h": {"loop"},
    "netlink/": {"net"},
    "libnftnl/": {"net"},
    "libmnl/": {"net"},
    "rapidjson/": {"codec"},
    "yaml-cpp/": {"codec"},
    "openssl/": {"pki", "http"},
    "archive.h": {"runtime"},
    "archive_entry.h": {"runtime"},
    "nghttp2/": {"http"},
    "zstd.h": {"runtime"},
    "re2/": {"api"},
    "fmt/": {"base"},
    "spdlog/": {"base"},
    "CLI/": {"app"},
}
BANNED = {
    r"system_clock|steady_clock|\btime\(nullptr\)|\bclock_gettime\(|\bgettimeofday\(": "skiff/base/clock.h",
    r"\brand\(|random_device|\bgetrandom\(": "skiff/base/random.h",
    r"sleep_for|sleep_until|\busleep\(|\bnanosleep\(": "base::sleep",
    r"#include <(regex|iostream)>": "re2 or base/strings.h, and base/log.h",
    r"\.items\(\)(\[|\.front|\.back)": "codec::Json::item",
    r"\b(TODO|FIXME|XXX|HACK)\b": "finish it, or an issue",
}
PURE_BANNED = re.compile(r"#include <(skiff/(loop|client|store)/|thread|mutex|atomic)")
# A [] that may write asserts on what is no object; texts come from anybody.
PARSED = re.compile(r"(?<!const )auto (\w+) = codec::parse_json\(")
# The shim is a C program of its own with no library below it.
BANNED_EXEMPT = {"base", "loop", "shim.c"}

errors = []


def module_of(path):
    parts = path.parts
    if parts[0] == "include":
        return parts[2] if len(parts) > 3 else None
    return parts[1] if len(parts) > 2 else None


def allowed_edges():
    uses = {}
    for build in sorted(ROOT.glob("src/*/meson.build")):
        module = build.parent.name
        listed = re.search(rf"^{module}_uses = \[(.*?)\]", build.read_text(), re.S | re.M)
        if not listed:
            errors.append(f"{build}: no '{module}_uses = [...]'")
            continue
        uses[module] = set(re.findall(r"(\w+)_dep\b", listed[1]))
    return uses


def check_include(path, number, module, uses, kind, target):
    own = re.match(r"skiff/(\w+)/", target)
    if own and own[1] != module and own[1] not in uses.get(module, set()):
        errors.append(f"{path}:{number}: {module} may not include {own[1]}")
    if kind == '"' and (".." in target or target.split("/")[0] != module):
        errors.append(f"{path}:{number}: quoted include leaves the module")
    for prefix, owners in OWNER.items():
        if target.startswith(prefix) and (module not in owners or path.parts[0] == "include"):
            errors.append(f"{path}:{number}: {prefix} belongs to src/{'|'.join(sorted(owners))}")


def check_file(path, uses):
    module = module_of(path)
    text = path.read_text()
    lines = text.split("\n")
    if len(lines) - 1 > RATCHET.get(str(path), LINES_MAX[path.suffix]):
        errors.append(f"{path}: {len(lines) - 1} lines")
    exempt = module in BANNED_EXEMPT or path.name in BANNED_EXEMPT
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            errors.append(f"{path}:{number}: {len(line)} columns")
        include = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)", line)
        if include and module:
            check_include(path, number, module, uses, *include.groups())
        if path.name.startswith("plan_") and PURE_BANNED.search(line):
            errors.append(f"{path}:{number}: a plan is pure: no loop, client, store or lock")
        for pattern, instead in BANNED.items():
            if not exempt and re.search(pattern, line):
                errors.append(f"{path}:{number}: banned, use {instead}")


def check_parsed(path):
    """A parsed text is read through const, where a missing member is null."""
    text = path.read_text()
    for found in PARSED.finditer(text):
        scope = text[found.end():text.find("\n}\n", found.end())]
        if re.search(rf"(?<!as_const)\(\*{found[1]}\)\[", scope):
            line = text.count("\n", 0, found.start()) + 1
            errors.append(f"{path}:{line}: read a parsed text through const")


def check_listed(path):
    """Every source is named in the meson.build of its module."""
    if path.parts[0] != "src" or path.suffix == ".h" or len(path.parts) < 3:
        return
    build = ROOT / "src" / path.parts[1] / "meson.build"
    name = "/".join(path.parts[2:])
    if name not in build.read_text():
        errors.append(f"{path}: not in {build}")


def first_include(path):
    found = re.search(r"^#include [<\"]([^>\"]+)", path.read_text(), re.M)
    return found[1] if found else None


def check_contracts_alone(contracts):
    """Each contract is the first include of a source, or of a contract that is: it compiles alone."""
    names = {str(p.relative_to("include")): p for p in contracts}
    sources = [p for d in ("src", "tests") for p in ROOT.glob(d + "/**/*.cpp")]
    pending = [first_include(p) for p in sources]
    while pending:
        path = names.pop(pending.pop(), None)
        if path:
            pending.append(first_include(path))
    for path in names.values():
        errors.append(f"{path}: include it first in the source that implements it")


def main():
    uses = allowed_edges()
    files = [p for d in ("include", "src") for p in sorted(ROOT.glob(d + "/**/*")) if p.suffix in LINES_MAX]
    for path in files:
        check_file(path, uses)
        check_parsed(path)
        check_listed(path)
    check_contracts_alone([p for p in files if p.parts[0] == "include"])
    folders = {}
    for path in files:
        folders[path.parent] = folders.get(path.parent, 0) + 1
    for folder, count in sorted(folders.items()):
        if count > FILES_IN_FOLDER_MAX:
            errors.append(f"{folder}: {count} files directly in one folder")
    if errors:
        print("\n".join(errors))
    return 1 if errors else 0


sys.exit(main())
