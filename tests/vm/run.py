#!/usr/bin/env python3
"""Inside of the virtual machine: skiff as a systemd service on cgroup v2, then the end-to-end tests."""
import json
import pathlib
import subprocess
import sys
import time
import traceback

PAYLOAD = pathlib.Path("/mnt/payload")
SKIFF = "/usr/local/bin/skiff"
KUBECONFIG = "/var/lib/skiff/admin.kubeconfig"
PARENT = pathlib.Path("/sys/fs/cgroup/skiff")
sys.path.insert(0, str(PAYLOAD / "e2e"))
from images import make_image  # noqa: E402
from machine import must, run, wait_for  # noqa: E402

IMAGE = "skiff.test/web:1"


def kubectl(*arguments, **options):
    return run(["kubectl", "--kubeconfig", KUBECONFIG, *arguments], **options)


def systemd_starts_skiff():
    must(["install", "-m", "755", str(PAYLOAD / "skiff"), SKIFF])
    must(["install", "-m", "644", str(PAYLOAD / "systemd/skiff.service"), "/etc/systemd/system/skiff.service"])
    pathlib.Path("/etc/default/skiff").write_text("SKIFF_NODE_NAME=vm\nSKIFF_NODE_IP=192.0.2.10\n")
    must(["ip", "link", "add", "uplink0", "type", "veth", "peer", "name", "uplink1"])
    must(["ip", "address", "add", "192.0.2.10/24", "dev", "uplink0"])
    for link in ("uplink0", "uplink1"):
        must(["ip", "link", "set", link, "up"])
    must(["systemctl", "daemon-reload"])
    # Type=notify: this returns when skiff has said READY=1.
    must(["systemctl", "start", "skiff"])
    assert must(["systemctl", "is-active", "skiff"]).strip() == "active"
    assert kubectl("get", "--raw", "/readyz").returncode == 0, "READY=1 came before the API"
    assert (pathlib.Path("/sys/fs/cgroup/cgroup.controllers")).exists(), "this is not cgroup v2"
    must([SKIFF, "check"])


def main_pid():
    return must(["systemctl", "show", "-p", "MainPID", "--value", "skiff"]).strip()


def a_pod_has_its_limits():
    archive = "/tmp/image.tar"
    make_image(archive, IMAGE)
    must([SKIFF, "image", "import", archive])
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "resources": {
        "requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}}]}
    result = kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": spec}))
    assert result.returncode == 0, result.stderr
    result = kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=180s")
    assert result.returncode == 0, result.stderr + kubectl("describe", "pod", "box").stdout
    limits = [path for path in PARENT.rglob("memory.max") if path.read_text().strip() == str(64 << 20)]
    assert limits, f"no group below {PARENT} has the memory limit"
    container = limits[-1].parent
    assert (container / "cpu.max").read_text().split() == ["50000", "100000"], (container / "cpu.max").read_text()
    assert pathlib.Path(f"/proc/{main_pid()}/cgroup").read_text().strip() == "0::/system.slice/skiff.service"


def box():
    status = json.loads(kubectl("get", "pod", "box", "-o", "json").stdout)["status"]["containerStatuses"][0]
    return status["containerID"], status["restartCount"]


def pods_outlive_the_service():
    before, processes = box(), sorted(line for path in PARENT.rglob("cgroup.procs") for line in path.read_text().split())
    must(["systemctl", "stop", "skiff"])
    now = sorted(line for path in PARENT.rglob("cgroup.procs") for line in path.read_text().split())
    assert processes == now, f"{processes} became {now}"
    must(["systemctl", "start", "skiff"])
    wait_for(lambda: kubectl("exec", "box", "--", "true").returncode == 0, 120, "exec after the restart")
    assert box() == before
    must(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "skiff"])
    wait_for(lambda: must(["systemctl", "show", "-p", "NRestarts", "--value", "skiff"]).strip() == "1", 60, "systemd's restart")
    wait_for(lambda: kubectl("exec", "box", "--", "true").returncode == 0, 120, "exec after the crash")
    assert box() == before


def systemd_leaves_the_controllers():
    """systemd takes controllers from groups that it does not know when it thinks nobody needs them."""
    must(["systemctl", "daemon-reload"])
    must(["systemctl", "daemon-reexec"])
    time.sleep(1)
    assert {"cpu", "memory", "pids"} <= set((PARENT / "cgroup.controllers").read_text().split())
    a_pod_has_its_limits()


def the_service_ends():
    assert kubectl("delete", "pod", "box", "--timeout=120s").returncode == 0
    must(["systemctl", "stop", "skiff"])
    must([SKIFF, "reset"])
    left = [path for path in PARENT.rglob("cgroup.procs") if path.read_text().strip()] if PARENT.exists() else []
    assert not left, left
    must(["ip", "link", "delete", "uplink0"])


def main():
    passed = failed = 0
    for function in (systemd_starts_skiff, a_pod_has_its_limits, pods_outlive_the_service, systemd_leaves_the_controllers, the_service_ends):
        name = function.__name__.replace("_", " ")
        begin = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok     systemd/{name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED systemd/{name}: {error}", flush=True)
            traceback.print_exc()
            print(run(["journalctl", "-u", "skiff", "-n", "30", "--no-pager"]).stdout, flush=True)
    for word in (PAYLOAD / "filters").read_text().split():
        result = subprocess.run([sys.executable, str(PAYLOAD / "e2e/run.py"), "--skiff", SKIFF, "--filter", word, "--jobs", "1", "--summary", "/tmp/summary"])
        counts = pathlib.Path("/tmp/summary").read_text().split() if result.returncode in (0, 1) else ["0", "", "1"]
        passed, failed = passed + int(counts[0]), failed + int(counts[2])
    print(f"{passed} passed, {failed} failed")
    print(f"vm: {failed} failed", flush=True)


main()
