#!/usr/bin/env python3
"""Prints what a binary is made of, from the map that the linker (gold or ld.bfd) wrote beside it.

usage: size_report.py MAP [LINES]

A line is a static library, or an object of ours as the sum of its module; bytes are what the linker
kept in sections that are loaded from the file. Gold does not tell whose the unwind tables and the
strings are that it merges.
"""
import collections
import re
import sys

# Sections that take no room in the stripped file.
NOT_IN_FILE = (".debug", ".comment", ".bss", ".tbss", ".symtab", ".strtab", ".shstrtab")
SECTION = re.compile(r"^(\.\S+)")
SECTION_SIZE = re.compile(r"^(?:\.\S+)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)$")
NAME_ALONE = re.compile(r"^ (\.\S+|COMMON)$")
INPUT = re.compile(r"^ (?:\.\S+|COMMON)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$")


def part_of(path):
    """The library "libssl.a", or the module "src/store" that an input file belongs to."""
    module = re.match(r"(src/\w+)/", path)
    if module:
        return module[1]
    archive = re.match(r"(.*\.a)\(", path)
    return (archive[1] if archive else path).rsplit("/", 1)[-1]


def parts(lines):
    sums, kept, started, size_next, total = collections.Counter(), False, False, False, 0
    for line in lines:
        line = line.rstrip("\n")
        started = started or line.lower().endswith("memory map")
        if not started or NAME_ALONE.match(line):
            continue
        section = SECTION.match(line)
        if section:
            kept = not section[1].startswith(NOT_IN_FILE)
        size = SECTION_SIZE.match(line) if section or size_next else None
        if size and kept:
            total += int(size[1], 16)
        size_next = bool(section and not size)
        if section or size:
            continue
        found = INPUT.match(line)
        if kept and found and "load address" not in found[2]:
            sums[part_of(found[2])] += int(found[1], 16)
    sums["merged by the linker"] = total - sum(sums.values())
    return sums


def main():
    with open(sys.argv[1], errors="replace") as file:
        sums = parts(file)
    for part, size in sums.most_common(int(sys.argv[2]) if len(sys.argv) > 2 else 20):
        print(f"{size:10} {part}")
    print(f"{sum(sums.values()):10} in all")


main()
