#!/usr/bin/env python3
"""End-to-end tests: real kubectl, real runc, real nodes in network namespaces. Needs root.

Every `test_*.py` here has `TESTS`, a list of (name, function(host)); modules run in the order of
their names on one host, each function is one case.
"""
import argparse
import importlib
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from host import Host  # noqa: E402


def load(filter_text, long_forms):
    for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        cases = list(module.TESTS) + (list(getattr(module, "LONG_TESTS", [])) if long_forms else [])
        chosen = [(name, function) for name, function in cases if not filter_text or filter_text in f"{path.stem}/{name}"]
        if chosen:
            yield path.stem, chosen


def run_case(host, name, function):
    start = time.monotonic()
    try:
        function(host)
        print(f"ok     {name} ({time.monotonic() - start:.1f} s)", flush=True)
        return True
    except Exception as error:  # a failed case must not end the others
        print(f"FAILED {name} ({time.monotonic() - start:.1f} s): {error}", flush=True)
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--summary")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    host = Host(options.skiff)
    passed = failed = 0
    try:
        host.create()
        host.start()
        host.wait_api()
        host.import_image("skiff.test/web:1")
        print(f"kubectl versions: {' '.join(host.kubectls)}", flush=True)
        for module, cases in load(options.filter, options.all):
            for name, function in cases:
                if run_case(host, f"{module}/{name}", function):
                    passed += 1
                else:
                    failed += 1
    except Exception as error:
        failed += 1
        print(f"FAILED start: {error}")
    finally:
        if failed:
            print(host.log_tail(), flush=True)
        left = host.destroy()
    if left:
        failed += 1
        print("FAILED nothing is left behind:\n  " + "\n  ".join(left))
    line = f"{passed} passed, {failed} failed"
    print(line)
    if options.summary:
        pathlib.Path(options.summary).write_text(line + "\n")
    return 1 if failed else 0


sys.exit(main())
