#!/usr/bin/env python3
"""End-to-end tests: real kubectl, real runc, real nodes in network namespaces. Needs root.

Every `test_*.py` here has `TESTS`, a list of (name, function(host)); each function is one case.
Modules run in the order of their names on one host. A module that has `make_environment(skiff)` runs
on what that returns instead: it has create(), log_tail() and destroy(), which returns what was left
behind.
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
        # An assertion without words is told by its line.
        words = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        print(f"FAILED {name} ({time.monotonic() - start:.1f} s): {words}", flush=True)
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        return False


class OneNode:
    """The host that most modules share, with the web image on it."""

    def __init__(self, skiff):
        self.subject = Host(skiff)

    def create(self):
        self.subject.create()
        self.subject.start()
        self.subject.wait_api()
        self.subject.import_new_image("skiff.test/web:1")
        print(f"kubectl versions: {' '.join(self.subject.kubectls)}", flush=True)

    def log_tail(self):
        return self.subject.log_tail()

    def destroy(self):
        return self.subject.destroy()


def run_group(environment, modules):
    """Runs modules on one environment; returns how many cases passed and failed."""
    passed = failed = 0
    try:
        environment.create()
        for module, cases in modules:
            for name, function in cases:
                if run_case(environment.subject, f"{module}/{name}", function):
                    passed += 1
                else:
                    failed += 1
    except Exception as error:
        failed += 1
        print(f"FAILED start: {error}")
        if not isinstance(error, AssertionError):
            traceback.print_exc()
    if failed:
        print(environment.log_tail(), flush=True)
    left = environment.destroy()
    if left:
        failed += 1
        print("FAILED nothing is left behind:\n  " + "\n  ".join(left))
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--summary")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    chosen = list(load(options.filter, options.all))
    shared = [(name, cases) for name, cases in chosen if not hasattr(sys.modules[name], "make_environment")]
    groups = [(OneNode, shared)] if shared else []
    groups += [(sys.modules[name].make_environment, [(name, cases)]) for name, cases in chosen if hasattr(sys.modules[name], "make_environment")]
    passed = failed = 0
    for make_environment, modules in groups:
        counts = run_group(make_environment(options.skiff), modules)
        passed, failed = passed + counts[0], failed + counts[1]
    line = f"{passed} passed, {failed} failed"
    print(line)
    if options.summary:
        pathlib.Path(options.summary).write_text(line + "\n")
    return 1 if failed else 0


sys.exit(main())
