"""What goes wrong around joined workers: bad links, a full disk, masters that move or are away, two boards with one name."""
import json
import re
import subprocess
import time

from host import expect
from machine import fill_disk, mount_small_disk, must, run, wait_for
from relay import Relay
from test_71_cluster import IMAGE, apply_pod, container_pid, resident_kb, wait_ready
from topology import MASTER_IP, ROUTER_IP, Cluster, Worker, cut_off, let_through, move_address

SECOND_MASTER_IP = "192.0.2.20"
NOBODY_IP = "192.0.2.99"
DISK_MB = 48
RELAY_MILLISECONDS = 150
LEASE_SECONDS = 40


class FaultCluster(Cluster):
    """`near` knows three servers: one that refuses, the master, and an address that the master will have; `disk` has a data folder of a few MB; `slow` is far away."""

    def __init__(self, skiff):
        super().__init__(skiff, "faults")
        self.relay = Relay(self.lan.router, f"{ROUTER_IP}:6443", f"{MASTER_IP}:6443", RELAY_MILLISECONDS)

    def make_hosts(self, skiff, name):
        return {"near": Worker(skiff, name, "near", "192.0.2.11", servers=(f"https://{ROUTER_IP}:7443", f"https://{MASTER_IP}:6443", f"https://{SECOND_MASTER_IP}:6443")),
                "disk": Worker(skiff, name, "disk", "192.0.2.12"),
                "slow": Worker(skiff, name, "slow", "192.0.2.13", servers=(f"https://{ROUTER_IP}:6443", f"https://{MASTER_IP}:6443"))}

    def plug_hosts(self):
        for worker in self.hosts.values():
            self.lan.plug(worker, f"{worker.address}/24", ROUTER_IP)

    def create(self):
        super().create()
        self.relay.start()
        mount_small_disk(self.hosts["disk"].data, DISK_MB)

    def destroy(self):
        self.relay.stop()
        return super().destroy()


def make_environment(skiff):
    return FaultCluster(skiff)


def answers(cluster, pod, seconds=30):
    wait_for(lambda: cluster.master.kubectl("exec", pod, "--", "echo", "here").stdout == "here\n", seconds, f"an exec in {pod}")


def connected_to(worker):
    """The master of the newest connection, from the log."""
    found = re.findall(r"connected to a master.*?master=\"?([0-9.]+:\d+)", worker.log.read_text(errors="replace"))
    return found[-1] if found else None


def ready_changes(cluster, node):
    """When the Ready condition of a node became what it is: the same as before, nobody has missed it."""
    return cluster.master.kubectl_ok("get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].lastTransitionTime}")


# --- joining through what is bad


def workers_join(cluster):
    """One whose first server refuses, and one far away."""
    archive = cluster.master.make_image(IMAGE)
    start = time.monotonic()
    cluster.join_all()
    joined = time.monotonic() - start
    for name, worker in cluster.hosts.items():
        worker.import_image(archive)
        apply_pod(cluster, f"on-{name}", name)
    wait_ready(cluster, *(f"on-{name}" for name in cluster.hosts))
    assert connected_to(cluster.hosts["near"]) == f"{MASTER_IP}:6443", cluster.hosts["near"].log_tail()
    assert joined < 30, f"{joined:.1f} s"


def a_far_worker(cluster):
    """150 ms each way: exec, logs, 2 MB through it."""
    assert connected_to(cluster.hosts["slow"]) == f"{ROUTER_IP}:6443"
    answers(cluster, "on-slow")
    result = cluster.master.kubectl("exec", "on-slow", "--", "sh", "-c", "yes skiff | head -c 2000000", timeout=40)
    assert len(result.stdout) == 2_000_000, len(result.stdout)
    cluster.master.kubectl_ok("exec", "on-slow", "--", "sh", "-c", "echo said > /proc/1/fd/1")
    wait_for(lambda: "said" in cluster.master.kubectl("logs", "on-slow").stdout, 10, "the log of on-slow")


def the_way_to_a_master_goes(cluster):
    """The relay ends; the other server of the list is the same master."""
    before, ready = container_pid(cluster, "on-slow"), ready_changes(cluster, "slow")
    cluster.relay.stop()
    wait_for(lambda: connected_to(cluster.hosts["slow"]) == f"{MASTER_IP}:6443", 15, "the connection to the other server")
    answers(cluster, "on-slow", 5)
    assert (container_pid(cluster, "on-slow"), ready_changes(cluster, "slow")) == (before, ready)
    cluster.relay.start()


def packets_are_lost(cluster, percent=15, seconds=5):
    """In both directions, of one worker: slow, and nothing else."""
    near = cluster.hosts["near"]
    before, ready = container_pid(cluster, "on-near"), ready_changes(cluster, "near")
    cut_off(near, f"numgen random mod 100 < {percent}")
    try:
        end, calls = time.monotonic() + seconds, 0
        while time.monotonic() < end or not calls:
            result = cluster.master.kubectl("exec", "on-near", "--", "sh", "-c", "yes skiff | head -c 100000", timeout=60)
            assert len(result.stdout) == 100_000, result.stderr
            calls += 1
    finally:
        let_through(near)
    answers(cluster, "on-near")
    assert (container_pid(cluster, "on-near"), ready_changes(cluster, "near")) == (before, ready)


# --- a full disk


def events_of(cluster, pod):
    return cluster.master.kubectl_ok("get", "events", "--field-selector", f"involvedObject.name={pod}", "-o", "jsonpath={range .items[*]}{.reason}: {.message}{'\\n'}{end}")


def a_full_disk(cluster):
    """Pods that run go on, new ones say why not, and all is well by itself when there is room again."""
    disk = cluster.hosts["disk"]
    before = container_pid(cluster, "on-disk")
    filler = fill_disk(disk.data)
    try:
        apply_pod(cluster, "late", "disk")
        wait_for(lambda: "No space left on device" in events_of(cluster, "late"), 20, "an event that says why")
        answers(cluster, "on-disk", 5)
        assert cluster.master.is_node_ready("disk")
    finally:
        filler.unlink()
    wait_ready(cluster, "late")
    assert container_pid(cluster, "on-disk") == before
    cluster.master.kubectl_ok("delete", "pod", "late", "--timeout=20s")


def condition(cluster, node, kind):
    return cluster.master.kubectl_ok("get", "node", node, "-o", f"jsonpath={{.status.conditions[?(@.type=='{kind}')].status}}")


def a_start_on_a_full_disk(cluster):
    """Killed and started without a byte to write; the node says that its disk is full, and when it is not."""
    disk = cluster.hosts["disk"]
    before = container_pid(cluster, "on-disk")
    filler = fill_disk(disk.data)
    try:
        disk.kill()
        disk.start()
        answers(cluster, "on-disk")
        wait_for(lambda: condition(cluster, "disk", "DiskPressure") == "True", 30, "DiskPressure")
    finally:
        filler.unlink()
    wait_for(lambda: condition(cluster, "disk", "DiskPressure") == "False", 30, "the end of DiskPressure")
    assert container_pid(cluster, "on-disk") == before


# --- names


def two_boards_with_one_name(cluster):
    before = container_pid(cluster, "on-near")
    other = cluster.guest("other", "192.0.2.31", node_name="near")
    other.join(cluster.new_token())
    code, log = other.ended()
    assert code == 1, (code, log)
    expect(log, "skiff token create --node-name near", "the second board")
    answers(cluster, "on-near", 5)
    assert container_pid(cluster, "on-near") == before


def a_board_is_flashed(cluster):
    """Its key is gone: refused under its name until it has a token for that; then its pods run on it again."""
    near = cluster.hosts["near"]
    before = container_pid(cluster, "on-near").split()[0]
    near.flash()
    near.join(cluster.new_token())
    code, log = near.ended()
    assert code == 1, (code, log)
    expect(log, "start it with --replace and a token of 'skiff token create --node-name near'", "a flashed board")
    near.import_image(cluster.master.folder / "image.tar")
    near.join(cluster.new_token("--node-name", "near"), "--replace")
    wait_for(lambda: container_pid(cluster, "on-near").split()[0] != before, 20, "another container")
    answers(cluster, "on-near")


def one_identity_on_two_boards(cluster):
    """A copied storage on boards without a serial: both say it, and they do not take turns all the time."""
    near = cluster.hosts["near"]
    twin = cluster.guest("twin", "192.0.2.32", node_name="near")
    must(["mkdir", "-p", twin.data])
    must(["cp", "-a", near.data / "pki", near.data / "node", twin.data])
    twin.start()
    try:
        wait_for(lambda: "another board has this node's identity" in near.log_tail(200), 20, "the first board's notice")
        wait_for(lambda: "another board has this node's identity" in twin.log_tail(200), 60, "the second board's notice")
        connections = len(re.findall("connected to a master", twin.log_tail(500)))
        assert connections <= 4, f"{connections} connections: they fight"
    finally:
        twin.kill()
    wait_for(lambda: cluster.master.kubectl("exec", "on-near", "--", "true").returncode == 0, 60, "an exec on near")


# --- much output


def flood(cluster, name, megabytes):
    line = "0123456789abcdef" * 62
    apply_pod(cluster, name, "near", command=["sh", "-c", f"yes {line} | head -c {megabytes}000000; echo; echo the end; sleep 1000"])
    wait_ready(cluster, name)


def slow_reader(cluster, megabytes, seconds):
    """Follows a log that is written faster than it is read. (Who reads nothing for 30 s is let go.)"""
    master, near = cluster.master, cluster.hosts["near"]
    machines = {"master": master, "near": near}
    flood(cluster, "flood", megabytes)
    before, ready = {name: resident_kb(machine) for name, machine in machines.items()}, ready_changes(cluster, "near")
    reader = subprocess.Popen(master.command([list(master.kubectls.values())[-1], "--kubeconfig", master.kubeconfig, "logs", "-f", "flood"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peak, slowest, renewed, end = dict(before), 0.0, set(), time.monotonic() + seconds
    try:
        count = 0
        while time.monotonic() < end:
            count += len(reader.stdout.read1(4096))
            start = time.monotonic()
            assert master.kubectl_ok("exec", "on-near", "--", "echo", "quick") == "quick\n"
            slowest = max(slowest, time.monotonic() - start)
            peak = {name: max(peak[name], resident_kb(machine)) for name, machine in machines.items()}
            renewed.add(master.kubectl_ok("get", "lease", "-n", "kube-node-lease", "near", "-o", "jsonpath={.spec.renewTime}"))
        last = b""
        while b"the end\n" not in last:
            chunk = reader.stdout.read1(1 << 16)
            assert chunk, f"the log ended after {count} bytes: {reader.stderr.read()}"
            last, count = last[-100:] + chunk, count + len(chunk)
            if count % 5 == 0:
                peak = {name: max(peak[name], resident_kb(machine)) for name, machine in machines.items()}
    finally:
        reader.kill()
        reader.communicate()
    grown = {name: peak[name] - before[name] for name in machines}
    assert slowest < 3, f"an exec beside it took {slowest:.1f} s"
    assert max(grown.values()) < 16_000, f"KB more than before: {grown}"
    assert ready_changes(cluster, "near") == ready
    assert len(renewed) >= 1 + int(seconds / LEASE_SECONDS), renewed
    master.kubectl_ok("delete", "pod", "flood", "--timeout=20s")
    return f"{megabytes} MB, {count} bytes read, {grown} KB more, an exec in {slowest:.2f} s"


def many_logs_to_a_slow_reader(cluster):
    print("      " + slow_reader(cluster, 200, 4))


def a_gigabyte_of_logs_to_a_slow_reader(cluster):
    print("      " + slow_reader(cluster, 1000, 90))


# --- the master


def the_master_gets_another_address(cluster):
    """As from DHCP. Clients that ask for the new one find a certificate for it; new workers join there."""
    master = cluster.master
    move_address(master, MASTER_IP, SECOND_MASTER_IP)

    def is_served():
        ca = master.data / "pki" / "ca.crt"
        return run(cluster.hosts["slow"].command(["curl", "-sS", "--max-time", "2", "--cacert", ca, f"https://{SECOND_MASTER_IP}:6443/livez"])).stdout == "ok"
    wait_for(is_served, 10, "a certificate for the new address")
    config = master.folder / "moved.kubeconfig"
    config.write_text(master.kubeconfig.read_text().replace("127.0.0.1", SECOND_MASTER_IP))
    result = run(cluster.hosts["slow"].command([list(master.kubectls.values())[-1], "--kubeconfig", config, "get", "nodes", "-o", "name"]))
    assert "node/near" in result.stdout, result
    for kind, path in (("endpoints", "{.subsets[0].addresses[*].ip}"), ("endpointslice", "{.endpoints[*].addresses[0]}")):
        wait_for(lambda kind=kind, path=path: master.kubectl_ok("get", kind, "kubernetes", "-o", f"jsonpath={path}") == SECOND_MASTER_IP, 10, f"the address in the {kind}")
    command = master.skiff_command("token", "create", "--print-join-command", *master.folder_flags()).stdout
    expect(command, rf"--server https://{re.escape(SECOND_MASTER_IP)}:6443 ", "the join command")
    guest = cluster.guest("arrived", "192.0.2.33", servers=(f"https://{SECOND_MASTER_IP}:6443",))
    guest.join(cluster.new_token())
    master.wait_node_ready("arrived", 10)


def workers_follow_the_master(cluster):
    """It stays at its new address: who lists that comes back. Then it returns, and the rest comes back too."""
    containers = {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts}
    answers(cluster, "on-near", 75)
    assert connected_to(cluster.hosts["near"]) == f"{SECOND_MASTER_IP}:6443"
    wait_for(lambda: cluster.master.kubectl("exec", "on-near", "--", "sh", "-c", "nc -w 2 10.43.0.1 443 < /dev/null").returncode == 0, 15, "the API from a pod")
    move_address(cluster.master, SECOND_MASTER_IP, MASTER_IP)
    for node in cluster.hosts:
        answers(cluster, f"on-{node}", 75)
        cluster.master.wait_node_ready(node)
    assert {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts} == containers


class NamedWorker(Worker):
    """Knows its master by a name, from a hosts file of its own."""

    def __init__(self, skiff, prefix, name, address):
        super().__init__(skiff, prefix, name, address, servers=("https://master.test:6443",))
        self.hosts_file = self.folder / "hosts"

    def command(self, arguments):
        bind = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.hosts_file]
        return [*map(str, bind), *super().command(arguments)]

    def set_master(self, *addresses):
        self.hosts_file.write_text("".join(f"{address} master.test\n" for address in addresses))


def a_worker_knows_a_name(cluster):
    """The name has an address where nobody answers, and one of the master, which moves."""
    named = NamedWorker(cluster.skiff, cluster.name, "named", "192.0.2.34")
    named.set_master(NOBODY_IP, MASTER_IP)
    cluster.admit(named)
    # Dropped, not refused.
    named.inside(["nft", "-f", "-"], input=f"table ip nobody {{ chain out {{ type filter hook output priority 0; ip daddr {NOBODY_IP} drop; }}\n}}")
    named.join(cluster.new_token())
    cluster.master.wait_node_ready("named", 30)
    move_address(cluster.master, MASTER_IP, SECOND_MASTER_IP)
    named.set_master(SECOND_MASTER_IP)
    try:
        lines = len(named.log.read_text().splitlines())
        wait_for(lambda: "connected to a master" in "\n".join(named.log.read_text().splitlines()[lines:]), 75, "the connection to the new address")
    finally:
        move_address(cluster.master, SECOND_MASTER_IP, MASTER_IP)
    for node in cluster.hosts:
        answers(cluster, f"on-{node}", 75)


def the_master_is_away_longer_than_a_lease(cluster):
    """Pods go on, and a master that comes back does not take its nodes for dead."""
    containers = {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts}
    ready = {node: ready_changes(cluster, node) for node in cluster.hosts}
    cluster.master.kill()
    time.sleep(LEASE_SECONDS + 20)
    cluster.master.start()
    cluster.master.wait_api()
    for node in cluster.hosts:
        answers(cluster, f"on-{node}", 45)
    assert {node: container_pid(cluster, f"on-{node}") for node in cluster.hosts} == containers
    time.sleep(10)
    assert {node: ready_changes(cluster, node) for node in cluster.hosts} == ready, "a node was taken for dead"
    taints = cluster.master.kubectl_ok("get", "nodes", *cluster.hosts, "-o", "jsonpath={.items[*].spec.taints}")
    assert not taints, taints


TESTS = [("workers join", workers_join), ("a far worker", a_far_worker), ("the way to a master goes", the_way_to_a_master_goes), ("packets are lost", packets_are_lost),
         ("a full disk", a_full_disk), ("two boards with one name", two_boards_with_one_name), ("a board is flashed", a_board_is_flashed), ("many logs to a slow reader", many_logs_to_a_slow_reader),
         ("the master gets another address", the_master_gets_another_address)]
LONG_TESTS = [("workers follow the master", workers_follow_the_master), ("a worker knows a name", a_worker_knows_a_name),
              ("the master is away longer than a lease", the_master_is_away_longer_than_a_lease), ("a start on a full disk", a_start_on_a_full_disk),
              ("one identity on two boards", one_identity_on_two_boards), ("a gigabyte of logs to a slow reader", a_gigabyte_of_logs_to_a_slow_reader)]
