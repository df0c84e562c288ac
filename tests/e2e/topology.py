"""Several hosts joined by links of our own, with no way out:

    master 192.0.2.10 ─┐                        ┌─ far 198.51.100.12     another subnet
    near   192.0.2.11 ─┼─ lan (bridge, router) ─┤
                       │                        └─ (router at 198.51.100.1)
    gateway 192.0.2.50 ┘── hidden 203.0.113.13      behind NAT: nobody reaches it

Faults are packet rules in a table of their own, and a relay that is slow.
"""
import os

from host import Host
from machine import Machine, Namespace, must, wait_for

MASTER_IP, NEAR_IP, FAR_IP, HIDDEN_IP = "192.0.2.10", "192.0.2.11", "198.51.100.12", "203.0.113.13"
ROUTER_IP, GATEWAY_IP = "192.0.2.1", "192.0.2.50"
FAULT_TABLE = "inet fault"


def join_link(one, one_link, two, two_link):
    """A cable between two namespaces."""
    must(["ip", "link", "add", one_link, "netns", one.namespace, "type", "veth", "peer", "name", two_link, "netns", two.namespace])
    one.inside(["ip", "link", "set", one_link, "up"])
    two.inside(["ip", "link", "set", two_link, "up"])


def set_address(namespace, link, address, gateway=None):
    namespace.inside(["ip", "address", "add", address, "dev", link])
    if gateway:
        namespace.inside(["ip", "route", "add", "default", "via", gateway])


def forward(namespace):
    namespace.inside(["sysctl", "-qw", "net.ipv4.ip_forward=1"])


class Lan:
    """The links alone; hosts are given by name."""

    def __init__(self, prefix):
        self.router = Namespace(f"skiff-{prefix}-lan-{os.getpid()}")
        self.gateway = Namespace(f"skiff-{prefix}-gateway-{os.getpid()}")

    def create(self):
        for namespace in (self.router, self.gateway):
            namespace.create()
            forward(namespace)
        self.router.inside(["ip", "link", "add", "lan", "type", "bridge"])
        self.router.inside(["ip", "link", "set", "lan", "up"])
        self.router.inside(["ip", "address", "add", f"{ROUTER_IP}/24", "dev", "lan"])
        self.plug(self.gateway, f"{GATEWAY_IP}/24", link="outside")
        self.gateway.inside(["nft", "-f", "-"], input="""
table ip nat {
  chain out { type nat hook postrouting priority 100; oifname "outside" masquerade; }
  chain in { type filter hook forward priority 0; iifname "outside" ct state new drop; }
}""")

    def plug(self, namespace, address, gateway=None, link="eth0"):
        """Puts a host on the bridge."""
        port = f"p{address.split('/')[0].replace('.', '')[-8:]}"
        join_link(self.router, port, namespace, link)
        self.router.inside(["ip", "link", "set", port, "master", "lan"])
        set_address(namespace, link, address, gateway)

    def plug_far(self, namespace, address):
        join_link(self.router, "far", namespace, "eth0")
        set_address(self.router, "far", "198.51.100.1/24")
        set_address(namespace, "eth0", f"{address}/24", "198.51.100.1")

    def plug_hidden(self, namespace, address):
        join_link(self.gateway, "inside", namespace, "eth0")
        set_address(self.gateway, "inside", "203.0.113.1/24")
        set_address(namespace, "eth0", f"{address}/24", "203.0.113.1")

    def destroy(self):
        self.gateway.destroy()
        self.router.destroy()


class Cluster:
    """A master that runs no pods, and workers by name. `subject` of its cases is the cluster."""

    WORKERS = {"near": NEAR_IP, "far": FAR_IP, "hidden": HIDDEN_IP}

    def __init__(self, skiff, name="multi", master_flags=("--role", "master"), workers=("near", "far", "hidden")):
        self.lan = Lan(name)
        self.master = Host(skiff, f"{name}-master", MASTER_IP, "master", master_flags, stands_alone=False)
        self.skiff, self.name = skiff, name
        self.workers = {worker: self.new_machine(worker, self.WORKERS[worker]) for worker in workers}

    @property
    def subject(self):
        return self

    # --- life cycle

    def new_machine(self, node_name, ip, flags=(), machine_name=None):
        return Machine(self.skiff, f"{self.name}-{machine_name or node_name}", ip, ["--node-name", node_name, "--role", "worker", *flags])

    def create(self):
        self.lan.create()
        self.master.create()
        self.lan.plug(self.master, f"{MASTER_IP}/24", ROUTER_IP)
        for name, worker in self.workers.items():
            worker.create()
            self.plug(name, worker)
        self.archive = self.master.make_image("skiff.test/web:1")
        self.master.start()
        self.master.wait_api()

    def plug(self, name, worker):
        if name == "far":
            self.lan.plug_far(worker, FAR_IP)
        elif name == "hidden":
            self.lan.plug_hidden(worker, HIDDEN_IP)
        else:
            self.lan.plug(worker, f"{worker.node_ip}/24", ROUTER_IP)

    def token(self, *flags):
        result = self.master.skiff_command("token", "create", *self.master.folder_flags(), *flags)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip().splitlines()[-1]

    def join(self, worker, token=None, server=f"https://{MASTER_IP}:6443"):
        """Starts a worker with a token; once joined it needs none."""
        worker.extra_flags += ["--server", server]
        first = [*worker.extra_flags, *(["--token", token] if token else [])]
        worker.extra_flags, kept = first, worker.extra_flags
        worker.start()
        worker.extra_flags = kept

    def wait_ready(self, *names, seconds=30):
        for name in names:
            self.master.wait_node_ready(name, seconds)

    def wait_not_ready(self, name, seconds=90):
        wait_for(lambda: not self.master.is_node_ready(name), seconds, f"{name} is NotReady")

    def destroy(self):
        left = []
        for machine in [*self.workers.values(), self.master]:
            left += [f"{machine.name}: {line}" for line in machine.destroy()]
        self.lan.destroy()
        return left

    def log_tail(self):
        return "\n".join(f"--- log of {machine.name}\n{machine.log_tail(25)}" for machine in [self.master, *self.workers.values()])

    # --- faults

    @staticmethod
    def cut_off(machine, how="drop"):
        """Packets of the host's link are lost: all, or `numgen random mod 100 < N drop`."""
        machine.inside(["nft", "-f", "-"], input=f"""
table {FAULT_TABLE} {{
  chain in {{ type filter hook input priority -300; iifname "eth0" {how}; }}
  chain out {{ type filter hook output priority -300; oifname "eth0" {how}; }}
}}""")

    @staticmethod
    def heal(machine):
        machine.inside(["nft", "delete", "table", *FAULT_TABLE.split()])

    @staticmethod
    def change_address(machine, old, new):
        machine.inside(["ip", "address", "add", f"{new}/24", "dev", "eth0"])
        machine.inside(["ip", "address", "del", f"{old}/24", "dev", "eth0"])
        machine.node_ip = new
