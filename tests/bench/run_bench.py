#!/usr/bin/env python3
"""Measures the budgets of one node, the peers beside it in the same run, and writes docs/benchmarks.md.

usage: run_bench.py --release build/release/skiff --programs build/release/tests/bench [--quick] [GROUP...]

Runs as root; every node and peer is in a network namespace without a way out. Rows of groups that
did not run keep what the document says; so does all text outside of the table.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from rows import GROUPS, Bench  # noqa: E402

DOCUMENT = pathlib.Path("docs/benchmarks.md")
BEGIN, END = "<!-- table: ./dev bench -->", "<!-- end of table -->"


def known_rows(text):
    """What the document says now: row to its line."""
    table = text[text.index(BEGIN):text.index(END)]
    return {match[1].strip(): match[0] for match in re.finditer(r"^\| ([^|]+) \|.*\|$", table, re.M)}


def write_document(results):
    text = DOCUMENT.read_text()
    rows = known_rows(text)
    for name in ("what", "---"):
        rows.pop(name, None)
    today = datetime.date.today().isoformat()
    for row, budget, measured, verdict in results:
        word = {True: "met", False: "**missed**", None: "-"}[verdict]
        rows[row] = f"| {row} | {budget} | {measured} | {word} | {today} |"
    table = "\n".join(["| what | budget | measured | | on |", "| --- | --- | --- | --- | --- |", *rows.values()])
    head, tail = text[:text.index(BEGIN)], text[text.index(END):]
    DOCUMENT.write_text(f"{head}{BEGIN}\n{table}\n{tail}")


def in_a_child(bench, name):
    """A group enters the namespace of its node; what follows must not be there."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        code = 0
        try:
            with os.fdopen(write_end, "w") as out:
                for row in GROUPS[name](bench):
                    print(f"{'ok    ' if row[3] is not False else 'MISSED'} {row[0]}: {row[2]} (budget {row[1]})", flush=True)
                    out.write(json.dumps(row) + "\n")
                    out.flush()
        except Exception:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        rows = [json.loads(line) for line in lines]
    return rows, os.waitpid(child, 0)[1] == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--release", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []])
    options = parser.parse_args()
    bench = Bench(os.path.abspath(options.release), os.path.abspath(options.programs), options.quick)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}", flush=True)
    results, failed = [], []
    for name in options.groups or GROUPS:
        print(f"--- {name}", flush=True)
        rows, whole = in_a_child(bench, name)
        results += rows
        if not whole:
            failed.append(name)
        write_document(results)
    if failed:
        print(f"these groups broke off: {' '.join(failed)}")
    return 1 if failed else 0


sys.exit(main())
