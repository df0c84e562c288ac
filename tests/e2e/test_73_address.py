"""A master that is its own worker: it boots without an address, gets one, and then another."""
from host import NODE_IP, Host
from machine import run, wait_for

IMAGE = "skiff.test/web:1"
OTHER_IP = "192.0.2.77"


def make_environment(skiff):
    return LoneBoard(skiff)


class LoneBoard:
    def __init__(self, skiff):
        self.subject = Host(skiff, "address", node_ip=None, address=NODE_IP)

    def create(self):
        self.subject.create()
        self.subject.inside(["ip", "address", "flush", "dev", "uplink0"])
        self.subject.start()
        self.subject.wait_api()
        self.subject.wait_node_ready()
        self.subject.import_new_image(IMAGE)

    def log_tail(self):
        return self.subject.log_tail()

    def destroy(self):
        return self.subject.destroy()


def reaches_api(host):
    return host.kubectl("exec", "box", "--", "sh", "-c", "nc -w 2 10.43.0.1 443 < /dev/null").returncode == 0


def is_at(host, address):
    """Pods reach the API, objects name the address, clients find a certificate for it."""
    wait_for(lambda: reaches_api(host), 10, "the API from a pod")
    assert host.kubectl_ok("get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[*].addresses[*].ip}") == address
    wait_for(lambda: run(host.command(["curl", "-sS", "--cacert", host.data / "pki" / "ca.crt", f"https://{address}:6443/livez"])).stdout == "ok", 5, "a certificate")
    of_node = ["get", "node", "node1", "-o", "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}"]
    wait_for(lambda: host.kubectl_ok(*of_node) == address, 5, "the address of the node")


def without_a_network(host):
    """Ready, and pods run."""
    host.kubectl_ok("run", "box", f"--image={IMAGE}", "--image-pull-policy=Never")
    host.kubectl_ok("wait", "--for=condition=Ready", "--timeout=30s", "pod/box")
    assert host.kubectl_ok("exec", "box", "--", "echo", "here") == "here\n"
    assert host.kubectl("get", "endpoints", "kubernetes").returncode == 1


def the_first_address(host):
    host.inside(["ip", "address", "add", f"{NODE_IP}/24", "dev", "uplink0"])
    is_at(host, NODE_IP)


def the_board_moves(host):
    """As from DHCP, with a moment without an address."""
    host.inside(["ip", "address", "del", f"{NODE_IP}/24", "dev", "uplink0"])
    wait_for(lambda: not reaches_api(host), 10, "that the API is away")
    host.inside(["ip", "address", "add", f"{OTHER_IP}/24", "dev", "uplink0"])
    is_at(host, OTHER_IP)


TESTS = [("without a network", without_a_network), ("the first address", the_first_address), ("the board moves", the_board_moves)]
