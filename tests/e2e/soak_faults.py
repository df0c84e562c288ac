"""The faults of soak.py. Each method does something bad to a cluster, ends it, and returns what it did."""
import json
import random
import time

from machine import fill_disk, mount_small_disk
from relay import Relay
from topology import MASTER_IP, NEAR_IP, ROUTER_IP, Cluster, Worker, cut_off, let_through, move_address

SECOND_MASTER_IP, SECOND_NEAR_IP = "192.0.2.20", "192.0.2.77"
DISK_MB = 96
RELAY_PORT = 7443


class SoakCluster(Cluster):
    """Workers know both addresses of their master; the data of `far` is on a disk of a few MB."""

    def make_hosts(self, skiff, name):
        servers = [f"https://{address}:6443" for address in (MASTER_IP, SECOND_MASTER_IP)]
        return {host: Worker(skiff, name, host, worker.address, servers=servers) for host, worker in super().make_hosts(skiff, name).items()}

    def create(self):
        super().create()
        mount_small_disk(self.hosts["far"].data, DISK_MB)


class Faults:
    """Needs self.cluster, self.archive (the image) and expect_new_container(pod)."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.master_ip, self.near_ip = MASTER_IP, NEAR_IP
        self.archive = None

    @property
    def master(self):
        return self.cluster.master

    def some_worker(self):
        return self.random.choice(list(self.cluster.hosts.values()))

    # --- processes

    def kill_master(self, shortest, longest):
        away = self.random.uniform(shortest, longest)
        self.master.kill()
        time.sleep(away)
        self.master.start()
        return f"master killed, {away:.1f} s away"

    def master_killed(self):
        return self.kill_master(0, 15)

    def master_away(self):
        """Longer than a lease."""
        return self.kill_master(45, 60)

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

    def everything_killed(self):
        for machine in (self.master, *self.cluster.hosts.values()):
            machine.kill()
        for machine in (*self.cluster.hosts.values(), self.master):
            machine.start()
        return "all killed at once"

    # --- links

    def partition(self):
        worker, seconds = self.some_worker(), self.random.uniform(5, 40)
        cut_off(worker, master=self.master_ip)
        time.sleep(seconds)
        let_through(worker)
        return f"{worker.node_name} cut off for {seconds:.1f} s"

    def loss(self):
        worker, percent = self.some_worker(), self.random.randint(5, 40)
        cut_off(worker, f"numgen random mod 100 < {percent}", master=self.master_ip)
        time.sleep(20)
        let_through(worker)
        return f"{worker.node_name} loses {percent} % for 20 s"

    def delay(self):
        """A worker starts behind a slow link, which ends with a reset."""
        worker, milliseconds = self.some_worker(), self.random.randint(50, 400)
        relay = Relay(self.cluster.lan.router, f"{ROUTER_IP}:{RELAY_PORT}", f"{self.master_ip}:6443", milliseconds)
        relay.start()
        worker.kill()
        worker.inside(["nft", "-f", "-"], input=f"""table ip fault {{
  chain out {{ type nat hook output priority -150; ip daddr {{ {MASTER_IP}, {SECOND_MASTER_IP} }} tcp dport 6443 dnat to {ROUTER_IP}:{RELAY_PORT}; }}
}}""")
        try:
            worker.start()
            self.wait_answers(worker.node_name)
            time.sleep(10)
            self.wait_answers(worker.node_name)
        finally:
            let_through(worker)
            relay.stop()
        return f"{worker.node_name} is {milliseconds} ms away for 10 s"

    # --- addresses

    def worker_moved(self):
        """As from DHCP."""
        old, self.near_ip = self.near_ip, SECOND_NEAR_IP if self.near_ip == NEAR_IP else NEAR_IP
        move_address(self.cluster.hosts["near"], old, self.near_ip)
        return f"near moved to {self.near_ip}"

    def master_moved(self):
        old, self.master_ip = self.master_ip, SECOND_MASTER_IP if self.master_ip == MASTER_IP else MASTER_IP
        move_address(self.master, old, self.master_ip)
        return f"master moved to {self.master_ip}"

    # --- disks

    def disk_full(self):
        """Pods come to a node that has no room for them."""
        filler = fill_disk(self.cluster.hosts["far"].data)
        try:
            self.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps(self.pod("late", "far")))
            time.sleep(15)
            self.wait_answers("far")
        finally:
            filler.unlink()
        self.master.kubectl_ok("wait", "--for=condition=Ready", "--timeout=90s", "pod/late", timeout=100)
        self.master.kubectl_ok("delete", "pod", "late", "--timeout=30s")
        return "the disk of far was full for 15 s"

    def worker_flashed(self):
        """A new board for an old name: without a key, an image or a pod."""
        worker = self.some_worker()
        worker.flash()
        worker.import_image(self.archive)
        worker.join(self.cluster.new_token("--node-name", worker.node_name), "--replace")
        self.expect_new_container(f"on-{worker.node_name}")
        return f"{worker.node_name} flashed"

    # --- work

    def churn(self):
        replicas = self.random.choice((3, 6, 9))
        self.master.kubectl_ok("scale", "deploy/web", f"--replicas={replicas}")
        return f"scaled to {replicas}"

    def list(self):
        """What may happen, as often as it is here."""
        return (self.master_killed, self.master_away, self.master_stopped, self.worker_killed, self.everything_killed, self.partition, self.partition,
                self.loss, self.loss, self.delay, self.worker_moved, self.master_moved, self.disk_full, self.worker_flashed, self.churn)
