#!/usr/bin/env python3
"""A cluster of four hosts under a workload, with a random fault each minute, from a seed. Needs root.

After every fault the cluster has to converge: nodes Ready, every replica Ready, exec and logs on
each node, and no container was started again by a fault that had nothing to do with it. At the end
nothing may be left on the hosts. `docs/testing.md` has the runs that were made.
"""
import argparse
import json
import sys
import time
import traceback

from machine import wait_for
from soak_faults import Faults, SoakCluster

IMAGE = "skiff.test/web:1"
CONVERGED_SECONDS_MAX = 90


class Soak(Faults):
    def __init__(self, skiff, seed):
        super().__init__(SoakCluster(skiff, "soak"), seed)
        self.containers = {}

    # --- the workload

    def container(self):
        return {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 2}}

    def pod(self, name, node, label="late"):
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": label}},
                "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}], "containers": [self.container()]}}

    def prepare(self):
        self.cluster.create()
        self.archive = self.master.make_image(IMAGE)
        self.cluster.join_all()
        for worker in self.cluster.hosts.values():
            worker.import_image(self.archive)
        fixed = [self.pod(f"on-{name}", name, "fixed") for name in self.cluster.hosts]
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [self.container()]}}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6, "selector": {"matchLabels": {"app": "web"}}, "template": template}}
        self.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*fixed, deployment]}))
        self.wait_converged()
        self.containers = self.find_containers()

    # --- what has to hold

    def find_containers(self):
        """Id and restarts of every container that no fault but a flash may end."""
        items = self.master.get("pods", "-l", "app=fixed")["items"]
        return {item["metadata"]["name"]: (item["status"]["containerStatuses"][0]["containerID"], item["status"]["containerStatuses"][0]["restartCount"]) for item in items}

    def expect_new_container(self, pod):
        before = self.containers.pop(pod)
        wait_for(lambda: self.find_containers().get(pod, before)[0] != before[0], CONVERGED_SECONDS_MAX, f"another container of {pod}", interval=0.5)
        self.wait_answers(pod.removeprefix("on-"))
        self.containers[pod] = self.find_containers()[pod]

    def wait_answers(self, node):
        wait_for(lambda: self.master.kubectl("exec", f"on-{node}", "--", "echo", "here").stdout == "here\n", CONVERGED_SECONDS_MAX, f"exec on {node}", interval=0.5)

    def wait_converged(self):
        start = time.monotonic()
        self.master.wait_api()
        for name in self.cluster.hosts:
            self.master.wait_node_ready(name, CONVERGED_SECONDS_MAX)
        wait_for(self.has_all_replicas, CONVERGED_SECONDS_MAX, "every replica Ready", interval=0.5)
        for name in self.cluster.hosts:
            self.wait_answers(name)
            wait_for(lambda name=name: self.master.kubectl("logs", f"on-{name}").returncode == 0, CONVERGED_SECONDS_MAX, f"logs of on-{name}", interval=0.5)
        seconds = time.monotonic() - start
        assert seconds < CONVERGED_SECONDS_MAX, f"converged after {seconds:.1f} s"
        return seconds

    def has_all_replicas(self):
        result = self.master.kubectl("get", "deploy", "web", "-o", "json")
        if result.returncode != 0:
            return False
        deployment = json.loads(result.stdout)
        wanted, status = deployment["spec"]["replicas"], deployment["status"]
        return status.get("observedGeneration") == deployment["metadata"]["generation"] and status.get("readyReplicas", 0) == wanted == status.get("replicas", 0)

    def one_fault(self, fault):
        what = fault()
        seconds = self.wait_converged()
        now = self.find_containers()
        assert now == self.containers, f"after '{what}' containers are others: {self.containers} became {now}"
        return what, seconds


def run_faults(soak, options):
    """Yields after each fault."""
    if options.each:
        for fault in dict.fromkeys(soak.list()):
            yield soak.one_fault(fault)
        return
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        begin = time.monotonic()
        yield soak.one_fault(soak.random.choice(soak.list()))
        time.sleep(max(0.0, min(60 - (time.monotonic() - begin), end - time.monotonic())))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--each", action="store_true", help="every fault once, one after the other")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    soak = Soak(options.skiff, options.seed)
    healed, failed = [], 0
    try:
        soak.prepare()
        for what, seconds in run_faults(soak, options):
            healed.append(seconds)
            print(f"{time.strftime('%H:%M:%S')} {what}: converged after {seconds:.1f} s", flush=True)
    except Exception:
        failed = 1
        traceback.print_exc()
        print(soak.cluster.log_tail())
    left = soak.cluster.destroy()
    print(f"{len(healed)} faults, longest {max(healed, default=0):.1f} s, {failed} failed; left behind: {left or 'nothing'}")
    return 1 if failed or left else 0


sys.exit(main())
