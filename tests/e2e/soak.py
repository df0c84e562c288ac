#!/usr/bin/env python3
"""A cluster of four hosts under a workload, with a random fault each minute, from a seed. Needs root.

After every fault the cluster has to converge: nodes Ready, every replica Ready, exec and logs on
each node, and no container was started again by a fault that had nothing to do with it. At the end
nothing may be left on the hosts. `docs/testing.md` has the runs that were made.
"""
import argparse
import json
import random
import sys
import time
import traceback

from machine import wait_for
from topology import Cluster, cut_off, let_through

IMAGE = "skiff.test/web:1"
CONVERGED_SECONDS_MAX = 90


class Soak:
    def __init__(self, skiff, seed):
        self.cluster = Cluster(skiff, "soak")
        self.random = random.Random(seed)
        self.restarts = {}

    # --- the workload

    def prepare(self):
        self.cluster.create()
        archive = self.cluster.master.make_image(IMAGE)
        self.cluster.join_all()
        for worker in self.cluster.hosts.values():
            worker.import_image(archive)
        container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 2}}
        fixed = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"on-{name}", "labels": {"app": "fixed"}},
                  "spec": {"nodeName": name, "terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}], "containers": [container]}} for name in self.cluster.hosts]
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6, "selector": {"matchLabels": {"app": "web"}}, "template": template}}
        self.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*fixed, deployment]}))
        self.wait_converged()
        self.restarts = self.count_restarts()

    @property
    def master(self):
        return self.cluster.master

    def some_worker(self):
        return self.random.choice(list(self.cluster.hosts.values()))

    # --- faults: each returns what it did

    def master_killed(self):
        away = self.random.uniform(0, 15)
        self.master.kill()
        time.sleep(away)
        self.master.start()
        return f"master killed, {away:.1f} s away"

    def master_stopped(self):
        self.master.stop()
        self.master.start()
        return "master stopped and started"

    def worker_killed(self):
        worker, away = self.some_worker(), self.random.uniform(0, 15)
        worker.kill()
        time.sleep(away)
        worker.start()
        return f"{worker.node_name} killed, {away:.1f} s away"

    def partition(self):
        worker, seconds = self.some_worker(), self.random.uniform(5, 40)
        cut_off(worker)
        time.sleep(seconds)
        let_through(worker)
        return f"{worker.node_name} cut off for {seconds:.1f} s"

    def loss(self):
        worker, percent = self.some_worker(), self.random.randint(5, 40)
        cut_off(worker, f"numgen random mod 100 < {percent}")
        time.sleep(20)
        let_through(worker)
        return f"{worker.node_name} loses {percent} % for 20 s"

    def everything_killed(self):
        for machine in (self.master, *self.cluster.hosts.values()):
            machine.kill()
        for machine in (*self.cluster.hosts.values(), self.master):
            machine.start()
        return "all killed at once"

    def churn(self):
        replicas = self.random.choice((3, 6, 9))
        self.master.kubectl_ok("scale", "deploy/web", f"--replicas={replicas}")
        return f"scaled to {replicas}"

    # --- what has to hold

    def count_restarts(self):
        items = self.master.get("pods", "-l", "app=fixed")["items"]
        return {item["metadata"]["name"]: (item["status"]["containerStatuses"][0]["containerID"], item["status"]["containerStatuses"][0]["restartCount"]) for item in items}

    def wait_converged(self):
        start = time.monotonic()
        self.master.wait_api()
        for name in self.cluster.hosts:
            self.master.wait_node_ready(name, CONVERGED_SECONDS_MAX)
        wait_for(self.has_all_replicas, CONVERGED_SECONDS_MAX, "every replica Ready", interval=0.5)
        for name in self.cluster.hosts:
            wait_for(lambda name=name: self.master.kubectl("exec", f"on-{name}", "--", "echo", "here").stdout == "here\n", CONVERGED_SECONDS_MAX, f"exec on {name}", interval=0.5)
            wait_for(lambda name=name: self.master.kubectl("logs", f"on-{name}").returncode == 0, CONVERGED_SECONDS_MAX, f"logs of on-{name}", interval=0.5)
        return time.monotonic() - start

    def has_all_replicas(self):
        result = self.master.kubectl("get", "deploy", "web", "-o", "json")
        if result.returncode != 0:
            return False
        deployment = json.loads(result.stdout)
        wanted, status = deployment["spec"]["replicas"], deployment["status"]
        return status.get("observedGeneration") == deployment["metadata"]["generation"] and status.get("readyReplicas", 0) == wanted == status.get("replicas", 0)

    def one_fault(self):
        fault = self.random.choice((self.master_killed, self.master_stopped, self.worker_killed, self.partition, self.partition, self.loss, self.everything_killed, self.churn))
        what = fault()
        seconds = self.wait_converged()
        now = self.count_restarts()
        assert now == self.restarts, f"after '{what}' containers are others: {self.restarts} became {now}"
        return what, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    soak = Soak(options.skiff, options.seed)
    faults = failed = 0
    try:
        soak.prepare()
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            begin = time.monotonic()
            what, seconds = soak.one_fault()
            faults += 1
            print(f"{time.strftime('%H:%M:%S')} {what}: converged after {seconds:.1f} s", flush=True)
            time.sleep(max(0.0, min(60 - (time.monotonic() - begin), end - time.monotonic())))
    except Exception:
        failed = 1
        traceback.print_exc()
        print(soak.cluster.log_tail())
    left = soak.cluster.destroy()
    print(f"{faults} faults, {failed} failed; left behind: {left or 'nothing'}")
    return 1 if failed or left else 0


sys.exit(main())
