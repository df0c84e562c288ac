"""A test host: a network namespace of our own with a running skiff in it, and kubectl beside it.

Nothing leaves the namespace: it has loopback and one veth pair whose both ends are inside.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from images import make_image

NODE_IP = "192.0.2.10"
PORT = 6443
READY_SECONDS_MAX = 60


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, **options)


def must(arguments, **options):
    result = run(arguments, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def wait_for(condition, seconds, what, interval=0.05):
    """Polls until `condition()` is true; the tests' only way to wait for another process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(interval)
    raise AssertionError(f"{what} did not happen within {seconds} seconds")


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


class Host:
    def __init__(self, skiff, name="e2e", extra_flags=()):
        self.skiff = os.path.abspath(skiff)
        self.namespace = f"skiff-{name}-{os.getpid()}"
        self.extra_flags = list(extra_flags)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"skiff-{name}-"))
        self.data, self.runtime = self.folder / "data", self.folder / "run"
        self.log = self.folder / "skiff.log"
        self.kubeconfig = self.data / "admin.kubeconfig"
        self.cgroup = f"skiff-{name}-{os.getpid()}"
        self.process = None
        self.kubectls = kubectl_binaries()

    # --- life cycle

    def create(self):
        must(["ip", "netns", "add", self.namespace])
        self.inside(["ip", "link", "set", "lo", "up"])
        self.inside(["ip", "link", "add", "uplink0", "type", "veth", "peer", "name", "uplink1"])
        self.inside(["ip", "address", "add", f"{NODE_IP}/24", "dev", "uplink0"])
        for link in ("uplink0", "uplink1"):
            self.inside(["ip", "link", "set", link, "up"])

    def command(self, arguments):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, arguments)]

    def inside(self, arguments, **options):
        return must(self.command(arguments), **options)

    def flags(self):
        return ["--data-dir", self.data, "--runtime-dir", self.runtime, "--node-name", "node1",
                "--node-ip", NODE_IP, "--cgroup-parent", self.cgroup, *self.extra_flags]

    def start(self):
        log = open(self.log, "ab")
        self.process = subprocess.Popen(self.command([self.skiff, "run", *self.flags()]), stdout=log,
                                        stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        log.close()

    def wait_api(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"skiff ended with {self.process.returncode}:\n{self.log_tail()}")
            return self.kubeconfig.exists() and self.kubectl("get", "--raw", "/readyz").returncode == 0
        wait_for(ready, READY_SECONDS_MAX, "/readyz")

    def wait_node_ready(self):
        def ready():
            out = self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}")
            return out.stdout.strip() == "True"
        wait_for(ready, READY_SECONDS_MAX, "the node's Ready condition")

    def stop(self, signal_number=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(signal_number)
        self.process.wait(timeout=20)
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def destroy(self):
        """Ends everything; returns what was left behind, which must be nothing."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
        run(self.command([self.skiff, "reset", *self.flags()[:4], "--cgroup-parent", self.cgroup]))
        left = self.leftovers()
        for pid in run(["ip", "netns", "pids", self.namespace]).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run(["ip", "netns", "delete", self.namespace])
        for line in reversed(pathlib.Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(str(self.folder)):
                run(["umount", "-l", line.split()[1]])
        if not os.environ.get("SKIFF_E2E_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def leftovers(self):
        left = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if str(self.folder) in line]
        left += [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.cgroup}/*/") if p.is_dir()]
        return left + [f"process {pid}" for pid in run(["ip", "netns", "pids", self.namespace]).stdout.split()]

    # --- kubectl

    def kubectl(self, *arguments, version=None, stdin=None, timeout=60, env=None):
        binary = self.kubectls[version] if version else list(self.kubectls.values())[-1]
        home = self.folder / f"home-{version or 'newest'}"
        home.mkdir(exist_ok=True)
        return run(self.command([binary, "--kubeconfig", self.kubeconfig, *arguments]), input=stdin,
                   timeout=timeout, env={**os.environ, "HOME": str(home), **(env or {})})

    def kubectl_ok(self, *arguments, **options):
        result = self.kubectl(*arguments, **options)
        assert result.returncode == 0, f"kubectl {' '.join(map(str, arguments))}: {result.stderr}{result.stdout}"
        return result.stdout

    def get(self, *arguments):
        return json.loads(self.kubectl_ok("get", *arguments, "-o", "json"))

    def pods(self, selector, namespace="default"):
        return self.get("pods", "-n", namespace, "-l", selector)["items"]

    # --- skiff's own commands

    def import_image(self, name, **config):
        archive = self.folder / "image.tar"
        make_image(archive, name, **config)
        result = self.skiff_command("image", "import", "--data-dir", self.data, "--runtime-dir", self.runtime, archive)
        assert result.returncode == 0, result.stderr

    def skiff_command(self, *arguments):
        return run(self.command([self.skiff, *arguments]))


def expect(text, pattern, where):
    assert re.search(pattern, text, re.M), f"{where}: expected /{pattern}/ in:\n{text}"
