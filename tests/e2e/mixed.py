#!/usr/bin/env python3
"""A master and workers of two releases: every kind of stream, restarts, and both ways to one release. Needs root.

usage: mixed.py ONE TWO   (two binaries; first the master is ONE and the workers are TWO, then the other way)
"""
import os
import sys
import time

import test_71_cluster as cases
from machine import wait_for
from topology import Cluster


def answers_everywhere(cluster):
    for node in cluster.hosts:
        wait_for(lambda node=node: cluster.master.kubectl("exec", f"on-{node}", "--", "true").returncode == 0, 40, f"an exec on {node}")


def take(machine, skiff):
    machine.stop()
    machine.skiff = skiff
    machine.start()


def upgrade(cluster, master, worker):
    """The master first, as is usual, then the workers: no container is started again."""
    cases.pods_run_everywhere(cluster)
    before = {node: cases.container_pid(cluster, f"on-{node}") for node in cluster.hosts}
    take(cluster.master, worker)
    cluster.master.wait_api()
    answers_everywhere(cluster)
    take(cluster.master, master)
    cluster.master.wait_api()
    for machine in cluster.hosts.values():
        take(machine, master)
    answers_everywhere(cluster)
    assert {node: cases.container_pid(cluster, f"on-{node}") for node in cluster.hosts} == before


def run_with(master, worker):
    print(f"master {master}, workers {worker}", flush=True)
    cluster = Cluster(worker, "mixed")
    cluster.master.skiff = master
    failed = 0
    cluster.create()
    try:
        for name, case in [*cases.TESTS, ("from one release to the other", lambda cluster: upgrade(cluster, master, worker))]:
            start = time.monotonic()
            try:
                case(cluster)
                print(f"ok     {name} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception as error:  # a failed case must not end the others
                failed += 1
                print(f"FAILED {name}: {error}", flush=True)
    finally:
        left = cluster.destroy()
    return failed + len(left)


if __name__ == "__main__":
    one, two = (os.path.abspath(path) for path in sys.argv[1:3])
    sys.exit(1 if run_with(one, two) + run_with(two, one) else 0)
