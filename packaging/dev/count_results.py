#!/usr/bin/env python3
"""Adds up what the suites of one `./dev test` reported and prints one closing line."""
import json
import pathlib
import re
import sys


def count_meson(path):
    """Catch2 programs count by their cases, other tests as one each."""
    passed = failed = 0
    for line in path.read_text().splitlines():
        test = json.loads(line)
        out = test.get("stdout", "") or ""
        good = re.search(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)", out)
        mixed = re.search(r"test cases:\s*(\d+) \|(?:\s*(\d+) passed)?.*?(?:\s*(\d+) failed)?", out)
        own = re.search(r"^(\d+) passed, (\d+) failed$", out, re.M)
        result = test["result"]
        if result == "SKIP":
            continue
        if own:
            passed, failed = passed + int(own[1]), failed + int(own[2])
        elif good and result == "OK":
            passed += int(good[1])
        elif mixed and result != "OK":
            total, ok = int(mixed[1]), int(mixed[2] or 0)
            passed, failed = passed + ok, failed + max(total - ok, 1)
        elif result == "OK":
            passed += 1
        else:
            failed += 1
            print(f"failed: {test['name']}")
    return passed, failed, 0


def count_text(path):
    found = re.search(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", path.read_text())
    if not found:
        return 0, 1, 0
    return int(found[1]), int(found[2]), int(found[3] or 0)


def main(folder):
    totals = [0, 0, 0]
    for path in sorted(pathlib.Path(folder).iterdir()):
        counts = count_meson(path) if path.suffix == ".json" else count_text(path)
        totals = [a + b for a, b in zip(totals, counts)]
    passed, failed, skipped = totals
    line = f"{passed} passed, {failed} failed"
    print(line + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main(sys.argv[1]))
