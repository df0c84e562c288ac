#!/usr/bin/env python3
"""End-to-end tests: real kubectl, real runc, real nodes in network namespaces. Needs root.

Every `test_*.py` here has `TESTS`, a list of (name, function(host)); each function is one case.
Each of `--jobs` processes has a node, on which it runs one module after the other, and takes the next
that nobody has. A module that has `make_environment(skiff)` runs on what that returns instead: it has
create(), log_tail() and destroy(), which returns what was left behind.
"""
import argparse
import importlib
import itertools
import multiprocessing
import os
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


class Shelf:
    """Modules of which each is taken once, by whichever process asks first."""

    def __init__(self, modules):
        self.modules, self.next_index = modules, multiprocessing.Value("i", 0)

    def take_all(self):
        while True:
            with self.next_index.get_lock():
                index = self.next_index.value
                self.next_index.value += 1
            if index >= len(self.modules):
                return
            yield self.modules[index]


def work(skiff, shared, alone, results):
    of_shared = shared.take_all()
    for first in of_shared:
        results.put(run_group(OneNode(skiff), itertools.chain([first], of_shared)))
    for name, cases in alone.take_all():
        results.put(run_group(sys.modules[name].make_environment(skiff), [(name, cases)]))


def run_all(skiff, modules, jobs):
    """Returns how many cases passed and failed."""
    has_own = lambda module: hasattr(sys.modules[module[0]], "make_environment")
    shared, alone = Shelf([m for m in modules if not has_own(m)]), Shelf([m for m in modules if has_own(m)])
    results = multiprocessing.SimpleQueue()
    workers = [multiprocessing.Process(target=work, args=(skiff, shared, alone, results)) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    died = sum(worker.exitcode != 0 for worker in workers)
    passed, failed = 0, died
    while not results.empty():
        counts = results.get()
        passed, failed = passed + counts[0], failed + counts[1]
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--summary")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    options = parser.parse_args()
    modules = list(load(options.filter, options.all))
    passed, failed = run_all(options.skiff, modules, min(options.jobs, len(modules)))
    line = f"{passed} passed, {failed} failed"
    print(line)
    if options.summary:
        pathlib.Path(options.summary).write_text(line + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
