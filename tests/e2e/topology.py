"""Several hosts joined by links of our own, with no way out:

    master 192.0.2.10 ─┐                        ┌─ far 198.51.100.12     another subnet
    near   192.0.2.11 ─┼─ lan (bridge, router) ─┤
                       │                        └─ (router at 198.51.100.1)
    gateway 192.0.2.50 ┘── hidden 203.0.113.13      behind NAT: nobody reaches it
"""
import os

from host import Host
from machine import Machine, Namespace, must, wait_for

MASTER_IP, NEAR_IP, FAR_IP, HIDDEN_IP = "192.0.2.10", "192.0.2.11", "198.51.100.12", "203.0.113.13"
ROUTER_IP, GATEWAY_IP = "192.0.2.1", "192.0.2.50"
MASTER_URL = f"https://{MASTER_IP}:6443"


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


def cut_off(machine, which="", master=MASTER_IP):
    """Drops packets between a host and the master, all or which nft's words say; rules of others stay."""
    machine.inside(["nft", "-f", "-"], input=f"""table ip fault {{
  chain in {{ type filter hook input priority -300; ip saddr {master} {which} drop; }}
  chain out {{ type filter hook output priority -300; ip daddr {master} {which} drop; }}
}}""")


def let_through(machine):
    machine.inside(["nft", "delete", "table", "ip", "fault"])


def move_address(machine, old, new):
    """As from DHCP: the old one goes first, and the default route with it."""
    machine.inside(["ip", "address", "del", f"{old}/24", "dev", "eth0"])
    machine.inside(["ip", "address", "add", f"{new}/24", "dev", "eth0"])
    machine.inside(["ip", "route", "replace", "default", "via", ROUTER_IP])


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
        # Packets find the way in; the gateway is what stops them.
        self.router.inside(["ip", "route", "add", "203.0.113.0/24", "via", GATEWAY_IP])

    def destroy(self):
        self.gateway.destroy()
        self.router.destroy()


class MasterAlone:
    """A master that runs no pods, and hosts around it. `subject` of its cases is this object."""

    def __init__(self, skiff, name="alone"):
        self.name, self.lan = name, Lan(name)
        self.master = Host(skiff, f"{name}-master", "eth0", "master", ["--role", "master"], stands_alone=False)
        self.hosts = self.make_hosts(skiff, name)

    def make_hosts(self, skiff, name):
        return {host: Namespace(f"skiff-{name}-{host}-{os.getpid()}") for host in ("near", "far", "hidden")}

    @property
    def subject(self):
        return self

    def create(self):
        self.lan.create()
        self.master.create()
        self.lan.plug(self.master, f"{MASTER_IP}/24", ROUTER_IP)
        for host in self.hosts.values():
            host.create()
        self.plug_hosts()
        self.master.start()
        self.master.wait_api()

    def plug_hosts(self):
        self.lan.plug(self.hosts["near"], f"{NEAR_IP}/24", ROUTER_IP)
        self.lan.plug_far(self.hosts["far"], FAR_IP)
        self.lan.plug_hidden(self.hosts["hidden"], HIDDEN_IP)

    def destroy(self):
        left = self.master.destroy()
        for host in self.hosts.values():
            host.destroy()
        self.lan.destroy()
        return left

    def log_tail(self):
        return self.master.log_tail()


class Worker(Machine):
    """A board that joins: its node has the name of the host, and whatever address its link has."""

    def __init__(self, skiff, prefix, name, address, servers=(MASTER_URL,), node_name=None):
        flags = [flag for server in servers for flag in ("--server", server)]
        super().__init__(skiff, f"{prefix}-{name}", "eth0", ["--role", "worker", *flags, "--node-name", node_name or name])
        self.node_name, self.address = node_name or name, address

    def join(self, token, *flags):
        """The first start; later ones need no token."""
        later = self.extra_flags
        self.extra_flags = [*later, "--token", token, *flags]
        self.start()
        self.extra_flags = later

    def flash(self):
        """Another board in its place: nothing runs, nothing is kept."""
        self.kill()
        reset = self.reset()
        assert reset.returncode == 0, reset
        for child in (*self.data.iterdir(), *self.runtime.iterdir()):
            must(["rm", "-rf", "--one-file-system", child])

    def ended(self, seconds=20):
        """Waits until skiff gives up; returns exit code and log."""
        wait_for(lambda: self.process.poll() is not None, seconds, f"the end of skiff on {self.name}")
        code, self.process = self.process.returncode, None
        return code, self.log_tail()


class Cluster(MasterAlone):
    """A master alone and three workers: near, on another subnet, behind NAT."""

    worker_type = Worker

    def __init__(self, skiff, name="cluster"):
        super().__init__(skiff, name)
        self.skiff = skiff
        self.guests = []

    def make_hosts(self, skiff, name):
        return {host: Worker(skiff, name, host, address) for host, address in (("near", NEAR_IP), ("far", FAR_IP), ("hidden", HIDDEN_IP))}

    def new_token(self, *flags):
        result = self.master.skiff_command("token", "create", *self.master.folder_flags(), *flags)
        assert result.returncode == 0, result
        return result.stdout.strip().splitlines()[-1]

    def guest(self, name, address, **options):
        """One more board on the master's network."""
        return self.admit(self.worker_type(self.skiff, self.name, name, address, **options))

    def admit(self, worker):
        worker.create()
        self.lan.plug(worker, f"{worker.address}/24", ROUTER_IP)
        self.guests.append(worker)
        return worker

    def join_all(self):
        token = self.new_token()
        for worker in self.hosts.values():
            worker.join(token)
        for name in self.hosts:
            self.master.wait_node_ready(name)

    def destroy(self):
        left = [f"{worker.name}: {line}" for worker in [*self.hosts.values(), *self.guests] for line in worker.destroy()]
        self.hosts, self.guests = {}, []
        return left + super().destroy()

    def log_tail(self):
        return "\n".join(f"--- {machine.name}\n{machine.log_tail(25)}" for machine in (self.master, *self.hosts.values(), *self.guests))
