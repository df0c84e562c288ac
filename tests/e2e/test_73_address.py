"""A master that is its own worker, whose address changes while it runs."""
from host import NODE_IP, Host
from machine import run, wait_for

IMAGE = "skiff.test/web:1"
OTHER_IP = "192.0.2.77"


def make_environment(skiff):
    return LoneBoard(skiff)


class LoneBoard:
    def __init__(self, skiff):
        self.subject = Host(skiff, "address", node_ip="uplink0", address=NODE_IP)

    def create(self):
        self.subject.create()
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


def the_board_moves(host):
    """As from DHCP, with a moment without an address: pods reach the API again, clients find a certificate."""
    host.kubectl_ok("run", "box", f"--image={IMAGE}", "--image-pull-policy=Never")
    host.kubectl_ok("wait", "--for=condition=Ready", "--timeout=30s", "pod/box")
    wait_for(lambda: reaches_api(host), 10, "the API from a pod")
    host.inside(["ip", "address", "del", f"{NODE_IP}/24", "dev", "uplink0"])
    wait_for(lambda: not reaches_api(host), 10, "that the API is away")
    host.inside(["ip", "address", "add", f"{OTHER_IP}/24", "dev", "uplink0"])
    wait_for(lambda: reaches_api(host), 10, "the API from a pod")
    assert host.kubectl_ok("get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[*].addresses[*].ip}") == OTHER_IP
    assert run(host.command(["curl", "-sS", "--cacert", host.data / "pki" / "ca.crt", f"https://{OTHER_IP}:6443/livez"])).stdout == "ok"
    addresses = host.kubectl_ok("get", "node", "node1", "-o", "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}")
    assert addresses == OTHER_IP, addresses


TESTS = [("the board moves", the_board_moves)]
