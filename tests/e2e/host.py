"""A host with a master on it, and kubectl beside it.

Nothing leaves the namespace: it has loopback and one veth pair whose both ends are inside.
"""
import json
import os
import pathlib
import re
import shutil

from images import make_image
from machine import SLOWNESS, Machine, must, run, wait_for  # noqa: F401  (modules take them from here)

NODE_IP = "192.0.2.10"
PORT = 6443
READY_SECONDS_MAX = 60
SERVERS = pathlib.Path(__file__).parent / "small_servers.py"


def kubectl_binaries():
    """Version ("1.33") to path, of every kubectl that this machine has."""
    found = {}
    path = shutil.which("kubectl")
    folder = pathlib.Path(os.path.realpath(path)).parent if path else None
    candidates = sorted(folder.glob("kubectl.1.*")) if folder else []
    debian = os.environ.get("SKIFF_KUBECTL_DEBIAN", "build/tools/kubectl-debian")
    for candidate in [*candidates, pathlib.Path(debian).absolute()] + ([pathlib.Path(path)] if path and not candidates else []):
        if not candidate.exists():
            continue
        out = run([str(candidate), "version", "--client", "-o", "json"]).stdout
        try:
            version = json.loads(out)["clientVersion"]
            found[f"{version['major']}.{version['minor'].rstrip('+')}"] = str(candidate)
        except (ValueError, KeyError):
            continue
    return dict(sorted(found.items(), key=lambda item: [int(p) for p in item[0].split(".")]))


class Host(Machine):
    def __init__(self, skiff, name="e2e", node_ip=NODE_IP, node_name="node1", flags=(), stands_alone=True, address=None):
        super().__init__(skiff, name, node_ip, ["--node-name", node_name, *flags])
        self.address = address or node_ip
        self.stands_alone = stands_alone
        self.kubeconfig = self.data / "admin.kubeconfig"
        self.kubectls = kubectl_binaries()

    def create(self):
        super().create()
        if not self.stands_alone:
            return
        self.inside(["ip", "link", "add", "uplink0", "type", "veth", "peer", "name", "uplink1"])
        self.inside(["ip", "address", "add", f"{self.address}/24", "dev", "uplink0"])
        for link in ("uplink0", "uplink1"):
            self.inside(["ip", "link", "set", link, "up"])

    def wait_api(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"skiff ended with {self.process.returncode}:\n{self.log_tail()}")
            return self.kubeconfig.exists() and self.kubectl("get", "--raw", "/readyz").returncode == 0
        wait_for(ready, READY_SECONDS_MAX, "/readyz")

    def is_node_ready(self, name):
        out = self.kubectl("get", "node", name, "-o", "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}")
        return out.stdout.strip() == "True"

    def wait_node_ready(self, name="node1", seconds=READY_SECONDS_MAX):
        wait_for(lambda: self.is_node_ready(name), seconds, f"the Ready condition of {name}")

    # --- kubectl

    def kubectl(self, *arguments, version=None, stdin=None, timeout=60, env=None):
        binary = self.kubectls[version] if version else list(self.kubectls.values())[-1]
        home = self.folder / f"home-{version or 'newest'}"
        home.mkdir(exist_ok=True)
        arguments = [re.sub(r"^(--timeout=)(\d+)s$", lambda found: f"{found[1]}{int(int(found[2]) * SLOWNESS)}s", str(each)) for each in arguments]
        return run(self.command([binary, "--kubeconfig", self.kubeconfig, *arguments]), input=stdin,
                   timeout=timeout, env={**os.environ, "HOME": str(home), **(env or {})})

    def kubectl_ok(self, *arguments, **options):
        result = self.kubectl(*arguments, **options)
        assert result.returncode == 0, f"kubectl {' '.join(map(str, arguments))}: {result.stderr}{result.stdout}"
        return result.stdout

    def get(self, *arguments):
        return json.loads(self.kubectl_ok("get", *arguments, "-o", "json"))

    def pods(self, selector, namespace="default"):
        """Those that are not on their way out."""
        items = self.get("pods", "-n", namespace, "-l", selector)["items"]
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]

    # --- images

    def make_image(self, name, **config):
        archive = self.folder / "image.tar"
        make_image(archive, name, **config)
        return archive

    def import_new_image(self, name, **config):
        self.import_image(self.make_image(name, **config))


def expect(text, pattern, where):
    assert re.search(pattern, text, re.M), f"{where}: expected /{pattern}/ in:\n{text}"
