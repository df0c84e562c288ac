"""A master without an agent, seen from hosts on its network, on another one and behind NAT."""
import json
import subprocess
import sys

from host import expect
from machine import run, wait_for
from topology import HIDDEN_IP, MASTER_IP, MasterAlone

IMAGE = "skiff.test/web:1"


def make_environment(skiff):
    return MasterAlone(skiff)


def no_node(cluster):
    assert cluster.master.get("nodes")["items"] == []
    expect(cluster.master.kubectl_ok("get", "--raw", "/readyz"), r"^ok", "readyz")


def pods_wait_for_a_node(cluster):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "waits"}, "spec": {"containers": [{"name": "main", "image": IMAGE}]}}
    cluster.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps(pod))
    wait_for(lambda: "no nodes available to schedule pods" in cluster.master.kubectl_ok("get", "events"), 20, "FailedScheduling")
    assert cluster.master.get("pod", "waits")["status"]["phase"] == "Pending"
    assert cluster.master.kubectl_ok("logs", "waits") == "", "without a host there is no log, as upstream has it"
    result = cluster.master.kubectl("exec", "waits", "--", "true")
    assert result.returncode == 1, result
    expect(result.stderr, r"pod waits does not have a host assigned", "exec")
    cluster.master.kubectl_ok("delete", "pod", "waits", "--timeout=20s")


def every_host_reaches_it(cluster):
    """By the address in its certificate, over HTTP/2."""
    ca = cluster.master.data / "pki" / "ca.crt"
    for name, host in cluster.hosts.items():
        result = run(host.command(["curl", "-sS", "--max-time", "10", "--cacert", ca, "-w", "%{http_version}", f"https://{MASTER_IP}:6443/livez"]))
        assert result.stdout == "ok2", f"{name}: {result}"


def nobody_reaches_the_hidden_host(cluster):
    hidden = cluster.hosts["hidden"]
    fetch = ["curl", "-s", "-o", "/dev/null", "--max-time", "2", f"http://{HIDDEN_IP}:8000/"]
    server = subprocess.Popen(hidden.command([sys.executable, "-m", "http.server", "8000"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: run(hidden.command(fetch)).returncode == 0, 10, "the hidden host's own server")
        assert run(cluster.master.command(fetch)).returncode == 28, "the host behind NAT can be reached"
    finally:
        server.terminate()
        server.wait(timeout=10)


def no_agent(cluster):
    master = cluster.master
    assert not (master.data / "pods").exists() and not (master.data / "snapshots").exists()
    links = run(master.command(["ip", "-o", "link"])).stdout
    assert ": sk" not in links and "10.43.0.10" not in run(master.command(["ip", "-o", "address"])).stdout, links


def a_worker_needs_a_token(cluster):
    result = cluster.master.skiff_command("run", "--role", "worker", "--server", f"https://{MASTER_IP}:6443", "--data-dir", cluster.master.folder / "w", "--runtime-dir", cluster.master.folder / "wr")
    assert result.returncode == 2, result
    expect(result.stderr, r"^skiff: this board is no node of a cluster yet: give it a token", "role worker")


def a_restart_keeps_objects(cluster):
    cluster.master.kubectl_ok("create", "configmap", "kept", "--from-literal=k=v")
    cluster.master.stop()
    cluster.master.start()
    cluster.master.wait_api()
    assert cluster.master.kubectl_ok("get", "configmap", "kept", "-o", "jsonpath={.data.k}") == "v"


TESTS = [("no node", no_node), ("pods wait for a node", pods_wait_for_a_node), ("every host reaches it", every_host_reaches_it),
         ("nobody reaches the host behind NAT", nobody_reaches_the_hidden_host), ("no agent", no_agent), ("a worker needs a token", a_worker_needs_a_token), ("a restart keeps objects", a_restart_keeps_objects)]
