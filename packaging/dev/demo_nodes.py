#!/usr/bin/env python3
"""`./dev demo --nodes N`: a master on one board, workers on the next ones, each in a network
namespace of its own; the last of three or more is behind NAT. Prints each step and its time."""
import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "e2e"))
from host import Host  # noqa: E402
from machine import wait_for  # noqa: E402
from topology import HIDDEN_IP, MASTER_IP, ROUTER_IP, Lan, Worker  # noqa: E402

IMAGE = "skiff.demo/page:1"
NODES_MAX = 40


class Boards:
    def __init__(self, skiff, count):
        self.lan = Lan("demo")
        self.master = Host(skiff, "demo-board1", MASTER_IP, "board1", stands_alone=False)
        self.workers = [Worker(skiff, "demo", f"board{n}", HIDDEN_IP if n == count and count > 2 else f"192.0.2.{10 + n}") for n in range(2, count + 1)]

    def connect(self):
        self.lan.create()
        self.master.create()
        self.lan.plug(self.master, f"{MASTER_IP}/24", ROUTER_IP)
        for worker in self.workers:
            worker.create()
            if worker.address == HIDDEN_IP:
                self.lan.plug_hidden(worker, HIDDEN_IP)
            else:
                self.lan.plug(worker, f"{worker.address}/24", ROUTER_IP)

    def start_master(self):
        self.master.start()
        self.master.wait_api()
        self.master.wait_node_ready("board1")

    def join(self, worker):
        result = self.master.skiff_command("token", "create", *self.master.folder_flags(), "--uses", "1")
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        worker.join(result.stdout.split()[-1])
        self.master.wait_node_ready(worker.node_name)

    def import_image(self):
        archive = self.master.make_image(IMAGE)
        for board in (self.master, *self.workers):
            board.import_image(archive)

    def names(self):
        return ["board1", *(worker.node_name for worker in self.workers)]

    def run_pods(self):
        """One on every board."""
        pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"page-{name}", "labels": {"app": "page"}},
                 "spec": {"nodeName": name, "terminationGracePeriodSeconds": 1, "containers": [{"name": "page", "image": IMAGE, "imagePullPolicy": "Never"}]}} for name in self.names()]
        self.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
        self.master.kubectl_ok("wait", "--for=condition=Ready", "pod", "-l", "app=page", "--timeout=60s")

    def exec_everywhere(self):
        for name in self.names():
            said = self.master.kubectl_ok("exec", f"page-{name}", "--", "hostname").strip()
            assert said == f"page-{name}", said

    def logs_everywhere(self):
        for name in self.names():
            self.master.kubectl_ok("exec", f"page-{name}", "--", "sh", "-c", f"echo here is {name} > /proc/1/fd/1")
            wait_for(lambda name=name: f"here is {name}" in self.master.kubectl_ok("logs", f"page-{name}"), 10, f"the log of page-{name}")

    def lose_master(self):
        """The workers' pods go on while it is away."""
        addresses = {worker: self.master.kubectl_ok("get", "pod", f"page-{worker.node_name}", "-o", "jsonpath={.status.podIP}") for worker in self.workers}
        self.master.kill()
        for worker, address in addresses.items():
            worker.inside(["curl", "-sf", "--max-time", "3", f"http://{address}:8080/"])
        self.master.start()
        self.master.wait_api()
        for name in self.names():
            self.master.wait_node_ready(name)
        self.exec_everywhere()
        restarts = self.master.kubectl_ok("get", "pods", "-l", "app=page", "-o", "jsonpath={range .items[*]}{.status.containerStatuses[0].restartCount}{end}")
        assert set(restarts) == {"0"}, f"restarts: {restarts}"

    def clean_up(self):
        self.master.kubectl_ok("delete", "pod", "-l", "app=page", "--timeout=30s")

    def destroy(self):
        left = [f"{board.name}: {line}" for board in (*self.workers, self.master) for line in board.destroy()]
        self.lan.destroy()
        return left


def step(text, function, *arguments):
    start = time.monotonic()
    function(*arguments)
    print(f"{(time.monotonic() - start) * 1000:6.0f} ms  {text}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skiff", required=True)
    parser.add_argument("--nodes", type=int, default=3)
    options = parser.parse_args()
    if not 2 <= options.nodes <= NODES_MAX:
        parser.error(f"--nodes takes 2 to {NODES_MAX}")
    boards = Boards(options.skiff, options.nodes)
    left = ["nothing was looked at"]
    try:
        step("connect the boards", boards.connect)
        step("board1: skiff run", boards.start_master)
        for worker in boards.workers:
            where = ", behind NAT" if worker.address == HIDDEN_IP else ""
            step(f"{worker.node_name}{where}: skiff token create, skiff run --role worker; Ready", boards.join, worker)
        step("import an image on every board", boards.import_image)
        step("a pod on every board is Ready", boards.run_pods)
        step("kubectl exec on every board", boards.exec_everywhere)
        step("kubectl logs of every board", boards.logs_everywhere)
        step("kill the master, start it; nothing was restarted", boards.lose_master)
        step("clean up", boards.clean_up)
    except Exception as error:
        print(f"FAILED: {error}\n--- the master's log\n{boards.master.log_tail()}", file=sys.stderr)
        return 1
    finally:
        left = boards.destroy()
    if left:
        print("left behind:\n  " + "\n  ".join(left), file=sys.stderr)
    return 1 if left else 0


sys.exit(main())
