"""Workers that join a master, every one a process in a network of its own: what one costs, and what many cost the master."""
import json
import re
import signal
import threading
import time

from machine import wait_for
from node import IMAGE, Measured, Node, median
from topology import MASTER_IP, ROUTER_IP, Cluster, Worker
from verdict import at_most

FIRST_HOST_NUMBER = 51
SETTLE_SECONDS = 20
DAY_SECONDS = 86_400


class MeasuredWorker(Measured, Worker):
    def count_traffic(self):
        self.inside(["nft", "-f", "-"], input="""table ip traffic {
  chain in { type filter hook prerouting priority -400; iifname "eth0" counter; }
  chain out { type filter hook postrouting priority 400; oifname "eth0" counter; }
}""")

    def traffic(self):
        """Bytes and packets since count_traffic(), both ways, with the headers of IP; without ARP and the kernel's own IPv6."""
        table = json.loads(self.inside(["nft", "-j", "list", "table", "ip", "traffic"]))["nftables"]
        found = [item["counter"] for row in table for item in row.get("rule", {}).get("expr", []) if "counter" in item]
        return sum(one["bytes"] for one in found), sum(one["packets"] for one in found)


class Fleet(Cluster):
    """A master alone on one network with as many workers as are asked for."""

    worker_type = MeasuredWorker

    def __init__(self, release, name):
        super().__init__(release, name)
        self.hosts = {}
        self.master = Node(release, name, ["--role", "master"], node_ip=MASTER_IP, node_name="master", stands_alone=False)

    def __enter__(self):
        self.lan.create()
        self.master.create()
        self.lan.plug(self.master, f"{MASTER_IP}/24", ROUTER_IP)
        self.master.start_until(self.master.is_serving)
        wait_for(self.master.kubeconfig.exists, 5, "the kubeconfig")
        return self

    def __exit__(self, *error):
        if error[0] is not None:
            print(self.master.log_tail(20))
        left = self.destroy()
        assert not left, left

    def add(self, count):
        """Boards that have not joined."""
        first = FIRST_HOST_NUMBER + len(self.guests)
        return [self.guest(f"w{number}", f"192.0.2.{number}") for number in range(first, first + count)]

    def ready_nodes(self):
        nodes = self.master.call("GET", "/api/v1/nodes")["items"]
        return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", [])) for node in nodes)

    def connected_nodes(self):
        return int(re.search(rb"^skiff_tunnel_connected_nodes (\d+)", self.master.call("GET", "/metrics"), re.M)[1])

    def join_seconds(self, worker, token):
        """From the start of its process until the API says that it is Ready."""
        before = self.ready_nodes()
        begin = time.monotonic()
        worker.join(token)
        wait_for(lambda: self.ready_nodes() > before, 60, f"Ready of {worker.name}", 0.005)
        return time.monotonic() - begin


def worker(bench):
    seconds = 30 if bench.is_quick else 60
    traffic_seconds = 60 if bench.is_quick else 600
    with Fleet(bench.release, "worker") as fleet:
        token = fleet.new_token()
        boards = fleet.add(3)
        joined = [fleet.join_seconds(boards[0], token)]
        board = boards[0]
        board.import_image(fleet.master.make_image(IMAGE))
        time.sleep(SETTLE_SECONDS)
        idle, dirty = board.memory_kb()
        yield at_most("worker alone: resident memory, idle", 12, idle / 1000, "MB", 1, f" ({dirty / 1000:.1f} MB of it private and dirty)")
        yield at_most("worker alone: idle CPU", 0.1, board.cpu_share(seconds), "% of a core", 2, f", over {seconds} s")
        board.count_traffic()
        time.sleep(traffic_seconds)
        size, packets = board.traffic()
        day = size * DAY_SECONDS / traffic_seconds / 1e6
        yield at_most("worker alone: idle traffic", 1, day, "MB a day", 2, f", from {size:,} bytes in {packets} packets over {traffic_seconds} s")
        fleet.master.make_pods(20, "twenty")
        time.sleep(SETTLE_SECONDS)
        full, dirty = board.memory_kb()
        yield at_most("worker alone: resident memory, 20 pods", 14, full / 1000, "MB", 1, f" ({dirty / 1000:.1f} MB of it private and dirty)")
        fleet.master.delete_pods()
        joined += [fleet.join_seconds(other, token) for other in boards[1:]]
        yield at_most("worker alone: start with a token to Ready", 1, median(joined), "s")


class Reader(threading.Thread):
    """Asks the API again and again; keeps how long each answer took."""

    def __init__(self, master):
        super().__init__(daemon=True)
        self.master, self.seconds, self.is_done = master, [], False

    def run(self):
        connection = None
        while not self.is_done:
            try:
                connection = connection or self.master.connect()
                begin = time.monotonic()
                self.master.call("GET", "/api/v1/namespaces/default/pods?limit=500", connection=connection)
                self.seconds.append(time.monotonic() - begin)
                time.sleep(0.005)
            except (OSError, RuntimeError):
                connection = None

    def p99(self):
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


def acknowledged_after(fleet, board, number):
    """Seconds from the creation of a pod for a node until the API has what the node says of it."""
    name = f"for-{number}"
    watch = fleet.master.connect()
    watch.request("GET", f"/api/v1/namespaces/default/pods?watch=1&fieldSelector=metadata.name%3D{name}")
    events, begin = watch.getresponse(), time.monotonic()
    fleet.master.call("POST", "/api/v1/namespaces/default/pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "nodeName": board.node_name, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "skiff.test/none:1", "imagePullPolicy": "Never"}]}})
    while b'"startTime"' not in events.readline():
        pass
    took = time.monotonic() - begin
    watch.close()
    return took


def fleet_of(bench, count):
    """Rows of a master with that many workers; the budgets are those of 200."""
    with Fleet(bench.release, f"fleet{count}") as fleet:
        master = fleet.master
        wait_for(lambda: master.call("GET", "/api/v1/namespaces/default/serviceaccounts")["items"], 10, "the default service account")
        token, boards = fleet.new_token(), fleet.add(count)
        time.sleep(5)
        before = master.memory_kb()[1]
        for first in range(0, count, 10):
            for board in boards[first:first + 10]:
                board.join(token)
            wait_for(lambda: fleet.ready_nodes() >= min(first + 10, count), 60, "Ready of the next ten", 0.1)
        time.sleep(SETTLE_SECONDS)
        resident, dirty = master.memory_kb()
        yield at_most(f"master with {count} workers: memory of each", 100, (dirty - before) / count, "KB", 0, f" ({resident / 1000:.1f} MB resident in all)")
        took = [acknowledged_after(fleet, board, number) for number, board in enumerate(boards[:50])]
        yield at_most(f"master with {count} workers: a pod's creation to its node and the node's answer back, median", 20, median(took) * 1000, "ms", 1)
        master.call("DELETE", "/api/v1/namespaces/default/pods?gracePeriodSeconds=0")
        time.sleep(5)
        master.stop(signal.SIGKILL)
        reader = Reader(master)
        begin = time.monotonic()
        master.start_until(master.is_serving)
        reader.start()
        wait_for(lambda: fleet.connected_nodes() >= count and fleet.ready_nodes() >= count, 60, "the return of all workers", 0.05)
        yield at_most(f"master with {count} workers, killed and started: all connected and Ready", 5, time.monotonic() - begin, "s", 1)
        reader.is_done = True
        reader.join()
        yield at_most(f"master with {count} workers: GET meanwhile, 99 of 100", 100, reader.p99() * 1000, "ms", 1, f" ({len(reader.seconds)} requests)")


def fleet(bench):
    for count in (10, 50, 200):
        yield from fleet_of(bench, count)
