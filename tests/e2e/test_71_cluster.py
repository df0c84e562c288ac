"""A master and three workers that joined by a token: one near, one on another subnet, one behind NAT."""
import json
import re
import subprocess
import time

import test_40_streams as streams
from host import expect
from machine import run, wait_for
from topology import HIDDEN_IP, Cluster, cut_off, let_through, move_address

IMAGE = "skiff.test/web:1"
# One client of each protocol: SPDY, WebSocket with SPDY port-forward, WebSocket.
VERSIONS = ("1.29", "1.30", "1.33")


def make_environment(skiff):
    return Cluster(skiff)


def container(**more):
    return {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", **more}


def apply_pod(cluster, name, node, **more):
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [container(**more)]}
    cluster.master.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}))


def wait_ready(cluster, *names, seconds=30):
    cluster.master.kubectl_ok("wait", "--for=condition=Ready", f"--timeout={seconds}s", *(f"pod/{name}" for name in names))


def container_pid(cluster, pod):
    """On the host: what must not change while skiff comes and goes."""
    return cluster.master.kubectl_ok("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}")


def workers_join(cluster):
    archive = cluster.master.make_image(IMAGE)
    cluster.join_all()
    for worker in cluster.hosts.values():
        worker.import_image(archive)
    rows = cluster.master.kubectl_ok("get", "nodes", "--no-headers").splitlines()
    assert sorted(row.split()[0] for row in rows) == ["far", "hidden", "near"], rows


def a_worker_has_no_database(cluster):
    for worker in cluster.hosts.values():
        assert not (worker.data / "state").exists() and not (worker.data / "admin.kubeconfig").exists(), worker.name
        listening = run(worker.command(["ss", "-Hltn"])).stdout
        assert ":6443" not in listening, f"{worker.name} listens: {listening}"


def the_hidden_node_takes_no_connections(cluster):
    listening = [line.split()[3] for line in run(cluster.hosts["hidden"].command(["ss", "-Hltn"])).stdout.splitlines()]
    assert all(address.startswith(("10.43.0.10:", "127.")) for address in listening), listening


def certificates_are_the_nodes_own(cluster):
    keys = set()
    for name, worker in cluster.hosts.items():
        key = worker.data / "pki" / "node.key"
        assert key.stat().st_mode & 0o777 == 0o600, key
        keys.add(key.read_text())
        subject = run(["openssl", "x509", "-noout", "-subject", "-in", str(worker.data / "pki" / "node.crt")]).stdout
        expect(subject, rf"O ?= ?system:nodes, CN ?= ?system:node:{name}", f"certificate of {name}")
    assert len(keys) == len(cluster.hosts)


def pods_run_everywhere(cluster):
    for node in cluster.hosts:
        apply_pod(cluster, f"on-{node}", node)
    wait_ready(cluster, *(f"on-{node}" for node in cluster.hosts))
    for node in cluster.hosts:
        cluster.master.kubectl_ok("exec", f"on-{node}", "--", "sh", "-c", "echo said > /proc/1/fd/1")
        wait_for(lambda node=node: "said" in cluster.master.kubectl("logs", f"on-{node}").stdout, 10, f"the log of on-{node}")


def stream_pods(cluster):
    """What the cases of test_40 use, on the node that nobody reaches."""
    apply_pod(cluster, "box", "hidden", readinessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1})
    apply_pod(cluster, "reader", "hidden", stdin=True, command=["sh", "-c", "while read line; do echo got $line; done"])
    wait_ready(cluster, "box", "reader")


def through_the_connection(case):
    def on_cluster(cluster):
        for version in [version for version in VERSIONS if version in cluster.master.kubectls] or list(cluster.master.kubectls)[-1:]:
            case(cluster.master, version)
    return on_cluster


def proxy_and_debug(cluster):
    page = cluster.master.kubectl_ok("get", "--raw", "/api/v1/namespaces/default/pods/box:8080/proxy/")
    expect(page, "hello", "proxy")
    summary = json.loads(cluster.master.kubectl_ok("get", "--raw", "/api/v1/nodes/hidden/proxy/stats/summary"))
    use = {pod["podRef"]["name"]: pod["memory"]["workingSetBytes"] for pod in summary["pods"]}
    assert use["box"] > 0 and summary["node"]["cpu"]["usageCoreNanoSeconds"] > 0, summary
    result = cluster.master.kubectl("debug", "node/hidden", f"--image={IMAGE}", "-i", "--", "sh", "-c", f"ls -d /host/etc; ip -o address | grep -c {HIDDEN_IP}", timeout=40)
    assert result.returncode == 0 and "/host/etc\n1\n" in result.stdout, result


def slow_exec(cluster, size):
    """Output that is not read, beside another exec; then all of it arrives."""
    machines = {"master": cluster.master, "hidden": cluster.hosts["hidden"]}
    before = {name: resident_kb(machine) for name, machine in machines.items()}
    binary = list(cluster.master.kubectls.values())[-1]
    flood = ["exec", "box", "--", "sh", "-c", f"yes skiff | head -c {size}"]
    slow = subprocess.Popen(cluster.master.command([binary, "--kubeconfig", cluster.master.kubeconfig, *flood]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        slow.stdout.read(1)
        time.sleep(1)
        start = time.monotonic()
        for _ in range(5):
            assert cluster.master.kubectl_ok("exec", "box", "--", "echo", "quick") == "quick\n"
        assert time.monotonic() - start < 10
        held = {name: resident_kb(machine) - before[name] for name, machine in machines.items()}
        count = 1
        while chunk := slow.stdout.read(1 << 16):
            count += len(chunk)
            if count % 64 == 0:
                held = {name: max(held[name], resident_kb(machine) - before[name]) for name, machine in machines.items()}
        assert count == size, count
        assert max(held.values()) < 16_000, f"a slow reader costs {held} KB"
    finally:
        slow.kill()
        slow.communicate()


def a_slow_reader_holds_nobody_up(cluster):
    slow_exec(cluster, 200_000_000)


def a_gigabyte_holds_nobody_up(cluster):
    slow_exec(cluster, 1_000_000_000)


def resident_kb(machine):
    for line in open(f"/proc/{machine.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"{machine.name} does not run")


def restarted_master(cluster):
    before = {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts}
    cluster.master.kill()
    cluster.master.start()
    cluster.master.wait_api()
    for node in cluster.hosts:
        wait_for(lambda node=node: cluster.master.kubectl("exec", f"on-{node}", "--", "true").returncode == 0, 20, f"an exec on {node}")
    assert {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts} == before
    cluster.master.kubectl_ok("delete", "pod", "on-far", "--timeout=20s")


def restarted_worker(cluster):
    """Killed, and started without a token."""
    before = container_pid(cluster, "on-near")
    near = cluster.hosts["near"]
    near.kill()
    near.start()
    wait_for(lambda: cluster.master.kubectl("exec", "on-near", "--", "true").returncode == 0, 20, "an exec on near")
    assert container_pid(cluster, "on-near") == before


def a_worker_gets_another_address(cluster):
    near, other = cluster.hosts["near"], "192.0.2.77"
    before = container_pid(cluster, "on-near")

    def move(old, new):
        move_address(near, old, new)
        wait_for(lambda: cluster.master.kubectl_ok("get", "node", "near", "-o", "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}") == new, 10, f"the node's address {new}")
        wait_for(lambda: cluster.master.kubectl("exec", "on-near", "--", "true").returncode == 0, 30, "an exec on near")
        wait_for(lambda: cluster.master.kubectl_ok("get", "pod", "on-near", "-o", "jsonpath={.status.hostIP}") == new, 10, f"the pod's host address {new}")
        assert "src " + new in near.inside(["ip", "route", "show", "10.43.0.0/16"])
    move(near.address, other)
    move(other, near.address)
    assert container_pid(cluster, "on-near") == before


def rotate_ca(cluster, *step):
    result = cluster.master.skiff_command("certs", "rotate-ca", *step, *cluster.master.folder_flags())
    assert result.returncode == 0, result


def answers(cluster, node):
    return cluster.master.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz").stdout == "ok"


def workers_follow_another_ca(cluster):
    """Those that are connected renew at once; one that was off needs a token when the old CA has been ended."""
    missed = cluster.hosts["far"]
    missed.kill()
    rotate_ca(cluster)
    signer = (cluster.master.data / "pki" / "ca.crt").read_text()
    for node in ("near", "hidden"):
        wait_for(lambda node=node: signer in (cluster.hosts[node].data / "pki" / "node-ca.crt").read_text(), 40, f"the new CA on {node}")
    rotate_ca(cluster, "finish-now")
    for node in ("near", "hidden"):
        wait_for(lambda node=node: answers(cluster, node), 20, f"an answer of {node}")
    missed.start()
    # What it has is taken no more, and it may not know the CA of the master either.
    wait_for(lambda: re.search("Unauthorized|failed to verify certificate", missed.log_tail()), 20, "far is refused")
    missed.kill()
    missed.join(cluster.new_token())
    wait_for(lambda: answers(cluster, "far"), 60, "an answer of far")
    missed.kill()
    missed.start()
    wait_for(lambda: answers(cluster, "far"), 20, "an answer of far without the token")


def a_partition_heals(cluster):
    far = cluster.hosts["far"]
    apply_pod(cluster, "stays", "far")
    wait_ready(cluster, "stays")
    before = container_pid(cluster, "stays")
    cut_off(far)
    wait_for(lambda: "not connected to this master" in cluster.master.kubectl("exec", "stays", "--", "true", timeout=90).stderr, 120, "the master's notice")
    let_through(far)
    wait_for(lambda: cluster.master.kubectl("exec", "stays", "--", "true").returncode == 0, 60, "an exec on far")
    cluster.master.wait_node_ready("far")
    assert container_pid(cluster, "stays") == before


LONG_TESTS = [("a partition heals", a_partition_heals), ("a gigabyte holds nobody up", a_gigabyte_holds_nobody_up)]
TESTS = [("workers join", workers_join), ("a worker has no database", a_worker_has_no_database), ("the hidden node takes no connections", the_hidden_node_takes_no_connections),
         ("certificates are the nodes' own", certificates_are_the_nodes_own), ("pods run everywhere", pods_run_everywhere), ("stream pods", stream_pods),
         ("exec: output, error, exit code", through_the_connection(streams.exec_output)), ("exec: stdin", through_the_connection(streams.exec_stdin)),
         ("exec: large output", through_the_connection(streams.exec_large_output)), ("exec: terminal", through_the_connection(streams.exec_terminal)),
         ("cp both ways", through_the_connection(streams.copy_both_ways)), ("attach", through_the_connection(streams.attach_stdin)),
         ("port-forward", through_the_connection(streams.port_forward)), ("proxy and debug", proxy_and_debug),
         ("a slow reader holds nobody up", a_slow_reader_holds_nobody_up), ("a restarted master", restarted_master), ("a restarted worker", restarted_worker),
         ("a worker gets another address", a_worker_gets_another_address), ("workers follow another CA", workers_follow_another_ca)]
