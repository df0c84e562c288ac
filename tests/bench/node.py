"""A node under measurement: its process in numbers, and a client of its API that costs little."""
import ctypes
import http.client
import json
import os
import pathlib
import signal
import ssl
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from host import Host  # noqa: E402

CLONE_NEWNET = 0x40000000
HOME = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
IMAGE = "skiff.test/web:1"


def enter(descriptor):
    """Moves this process into a network namespace, so that its own sockets are there, too."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def median(values):
    return statistics.median(values)


class Measured:
    """The process of a machine in numbers."""

    @property
    def pid(self):
        return self.process.pid

    def memory_kb(self):
        """Resident, and of it private and dirty."""
        fields = dict(line.split(":") for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:])
        return tuple(int(fields[name].split()[0]) for name in ("Rss", "Private_Dirty"))

    def cpu_ns(self):
        """Of all threads, also those that have ended."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        fields = dict(line.split(": ") for line in pathlib.Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return int(fields["write_bytes"])

    def cpu_share(self, seconds):
        """Per cent of a core."""
        before, begin = self.cpu_ns(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu_ns() - before) / (time.monotonic() - begin) / 1e7

    def shim_private_kb(self):
        """Private memory of each supervisor."""
        sizes = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if not os.readlink(path / "exe").startswith(f"{self.runtime}/shim-"):
                    continue
                rollup = (path / "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            sizes.append(sum(int(line.split()[1]) for line in rollup if line.startswith("Private_") and "Hugetlb" not in line))
        return sizes


class Node(Measured, Host):
    """A host whose skiff is asked directly, without kubectl."""

    def __init__(self, skiff, name, flags=(), wrapper=(), **options):
        super().__init__(skiff, name=f"bench-{name}", flags=flags, **options)
        self.wrapper = list(wrapper)
        self.is_entered = False

    def create(self):
        super().create()
        with open(f"/run/netns/{self.namespace}") as file:
            enter(file.fileno())
        self.is_entered = True

    def stop(self, signal_number=signal.SIGTERM):
        if self.wrapper and self.process is not None:
            os.kill(self.pid, signal_number)  # what stands before it ends with it
            self.process.wait(timeout=20)
            self.process = None
        super().stop(signal_number)

    def destroy(self):
        # The end of a namespace is the end of the processes in it.
        enter(HOME)
        self.is_entered = False
        return super().destroy()

    def command(self, arguments):
        """Once this process is in the namespace nobody need enter; the wrapper stands before skiff itself."""
        if not self.is_entered:
            return super().command(arguments)
        arguments = [str(argument) for argument in arguments]
        return [*self.wrapper, *arguments] if arguments[1:2] == ["run"] else arguments

    @property
    def pid(self):
        if not self.wrapper:
            return super().pid
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def tls_files(self):
        pki = self.data / "pki"
        return pki / "ca.crt", pki / "admin.crt", pki / "admin.key"

    def connect(self):
        ca, certificate, key = self.tls_files()
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        return http.client.HTTPSConnection("127.0.0.1", 6443, context=context, timeout=60)

    def call(self, method, path, body=None, connection=None):
        connection = connection or self.connect()
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if data[:1] == b"{" else data

    def start_until(self, is_there):
        """Seconds from exec until `is_there()`."""
        begin = time.monotonic()
        self.start()
        while True:
            try:
                if is_there():
                    return time.monotonic() - begin
            except (OSError, http.client.HTTPException, RuntimeError):
                pass
            if self.process.poll() is not None:
                raise RuntimeError(self.log_tail())
            time.sleep(0.002)

    def is_serving(self):
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", 6443, context=context, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200

    def is_ready(self):
        node = self.call("GET", "/api/v1/nodes/node1")
        return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))

    def start_ready(self):
        return self.start_until(lambda: self.kubeconfig.exists() and self.is_ready())

    # --- pods

    def make_pods(self, count, prefix, probe=False):
        """Creates pods and returns the seconds until all are Ready, from the first request."""
        container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never"}
        if probe:
            container["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
        watch = self.connect()
        watch.request("GET", f"/api/v1/namespaces/default/pods?watch=1&labelSelector=group%3D{prefix}")
        events = watch.getresponse()
        connection, ready, begin = self.connect(), set(), time.monotonic()
        for number in range(count):
            self.call("POST", "/api/v1/namespaces/default/pods", {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{prefix}-{number}", "labels": {"group": prefix}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}, connection)
        while len(ready) < count:
            pod = json.loads(events.readline())["object"]
            if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])):
                ready.add(pod["metadata"]["name"])
        took = time.monotonic() - begin
        watch.close()
        return took

    def delete_pods(self):
        self.call("DELETE", "/api/v1/namespaces/default/pods?gracePeriodSeconds=0")
        while self.call("GET", "/api/v1/namespaces/default/pods?limit=1")["items"]:
            time.sleep(0.1)


def load(program, node, path, connections, **options):
    """Runs api_load against the node; returns what it printed."""
    ca, certificate, key = node.tls_files()
    return run_load(program, "--ca", ca, "--cert", certificate, "--key", key, "--path", path, "--connections", connections,
                    *[part for name, value in options.items() for part in (f"--{name}", value)])


def run_load(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"api_load: {result.stderr[-600:]}{result.stdout[-300:]}")
    return json.loads(result.stdout)
