"""The groups of figures. Each function yields (row, budget, measured, verdict): verdict is True, False or None for none."""
import json
import os
import pathlib
import re
import subprocess
import threading
import time

from joined import fleet, worker
from machine import wait_for
from node import IMAGE, Node, load, median, run_load
from peers import Etcd, Nginx, Podman
from verdict import at_least, at_most


class Bench:
    def __init__(self, release, programs, is_quick):
        self.release, self.programs, self.is_quick = release, pathlib.Path(programs), is_quick
        self.load = self.programs / "api_load"

    def node(self, name, **options):
        return Running(Node(self.release, name, **options))


class Running:
    """A node for the length of a `with`."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.node.create()
        return self.node

    def __exit__(self, *error):
        if error[0] is not None:
            print(self.node.log_tail(15))
        left = self.node.destroy()
        assert not left, left


# --- binary and start

def binary(bench):
    size = os.stat(bench.release).st_size
    yield at_most("static binary, stripped", 14, size / 1e6, "MB", 1, "; 10 MB in the end")


def start(bench):
    new, existing, ready = [], [], []
    for _ in range(3):
        with bench.node("start") as node:
            new.append(node.start_until(node.is_serving))
            wait_for(node.kubeconfig.exists, 5, "the kubeconfig")
            node.stop()
            existing.append(node.start_until(node.is_serving))
            node.stop()
            ready.append(node.start_ready())
    yield at_most("exec to `/readyz` = ok, new PKI", 0.4, median(new), "s")
    yield at_most("exec to `/readyz` = ok, existing data", 0.1, median(existing), "s")
    yield at_most("exec to node Ready, existing data", 0.5, median(ready), "s")


# --- memory

def two_thousand_pods(bench, node):
    """Pods that no scheduler looks at, 4 KB each."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "idle-@N@", "namespace": "bulk", "annotations": {"filler": "x" * 3000}},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": IMAGE}]}}
    node.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bulk"}})
    wait_for(lambda: node.call("GET", "/api/v1/namespaces/bulk/serviceaccounts")["items"], 10, "the default service account")
    file = node.folder / "pod.json"
    file.write_text(json.dumps(body))
    load(bench.load, node, "/api/v1/namespaces/bulk/pods", 16, method="POST", body=file, requests=2000)


def memory(bench):
    with bench.node("memory") as node:
        node.start_ready()
        node.import_new_image(IMAGE)
        time.sleep(5)
        idle, dirty = node.memory_kb()
        yield at_most("resident memory, master and worker, idle", 20, idle / 1000, "MB", 1, f" ({dirty / 1000:.1f} MB of it private and dirty)")
        node.make_pods(30, "many")
        time.sleep(5)
        full, dirty = node.memory_kb()
        yield at_most("resident memory, 30 pods", 24, full / 1000, "MB", 1, f" ({dirty / 1000:.1f} MB of it private and dirty)")
        yield at_most("private memory of a pod's supervisor", 0.2, max(node.shim_private_kb()) / 1000, "MB")
        node.delete_pods()
    with bench.node("reads") as node:
        node.start_ready()
        two_thousand_pods(bench, node)
        time.sleep(5)
        before = node.memory_kb()[0]
        peak = [before]
        stop = threading.Event()

        def look():
            while not stop.wait(0.02):
                peak[0] = max(peak[0], node.memory_kb()[0])
        watcher = threading.Thread(target=look)
        watcher.start()
        load(bench.load, node, "/api/v1/namespaces/bulk/pods", 64, requests=128)
        load(bench.load, node, "/api/v1/namespaces/bulk/pods", 4, requests=8, header="Accept: application/json;as=Table;v=v1;g=meta.k8s.io")
        for path in ("/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1", "/openapi/v3/apis/apps/v1"):
            load(bench.load, node, path, 8, requests=16)
        stop.set()
        watcher.join()
        yield at_most("peak after 64 LISTs of 2,000 pods, Tables and OpenAPI, against before", 2, peak[0] / before, "times", 2, f" ({before / 1000:.1f} to {peak[0] / 1000:.1f} MB)")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and node.memory_kb()[0] > before * 1.1:
            time.sleep(1)
        after = node.memory_kb()[0]
        yield ("back within a minute", "1.10 times", f"{after / before:.2f} times after {max(0, 60 - (deadline - time.monotonic())):.0f} s", after <= before * 1.1)


# --- requests

def in_turns(one, other, rounds=5):
    """Ratios of `one` to `other`, measured by turns; median of the ratio and of both."""
    pairs = []
    for _ in range(rounds):
        other_value = other()["per_second"]
        pairs.append((one()["per_second"], other_value))
    return median([a / b for a, b in pairs]), median([a for a, _ in pairs]), median([b for _, b in pairs])


def reads(bench):
    with bench.node("reads") as node:
        node.start_ready()
        node.call("POST", "/api/v1/namespaces/default/configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "four"}, "data": {"k": "x" * 3700}})
        two_thousand_pods(bench, node)
        connection = node.connect()
        connection.request("GET", "/api/v1/namespaces/default/configmaps/four")
        four = connection.getresponse().read()
        connection.request("GET", "/api/v1/namespaces/bulk/pods")
        pods = connection.getresponse().read()
        nginx = Nginx(node, {"four": four, "pods": pods})
        try:
            def peer(path, connections):
                return lambda: load(bench.load, node, path, connections, seconds=2, address=f"127.0.0.1:{Nginx.PORT}")

            def ours(path, connections):
                return lambda: load(bench.load, node, path, connections, seconds=2, address="127.0.0.1:6443")
            ratio, a, b = in_turns(ours("/api/v1/namespaces/default/configmaps/four", 64), peer("/four", 64))
            yield at_least(f"GET of {len(four):,} bytes over TLS, 64 connections, against nginx", 0.6, ratio, "of nginx", 2, f" ({a:,.0f}/s against {b:,.0f}/s)")
            ratio, a, b = in_turns(ours("/api/v1/namespaces/bulk/pods", 8), peer("/pods", 8))
            yield at_least(f"LIST of 2,000 pods ({len(pods) / 1e6:.1f} MB) over TLS, 8 connections, against nginx", 0.8, ratio, "of nginx", 2, f" ({a:,.0f}/s against {b:,.0f}/s)")
        finally:
            nginx.stop()


def config_map_body(size):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c@N@", "namespace": "default"}, "data": {"k": "x" * size}})


def pod_body(size):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p@N@", "namespace": "default", "annotations": {"filler": "x" * size}},
                       "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": IMAGE}]}})


def writes(bench):
    import base64
    with bench.node("writes") as node:
        node.start_ready()
        wait_for(lambda: node.call("GET", "/api/v1/namespaces/default/serviceaccounts")["items"], 10, "the default service account")
        etcd = Etcd(node.folder)
        try:
            cases = (("1 KB objects", config_map_body(700), "configmaps", 1000, 8000), ("4 KB pods", pod_body(2500), "pods", 4000, 5000))
            for number, (what, body, resource, value_bytes, budget) in enumerate(cases):
                file, peer_file = node.folder / "body.json", node.folder / "peer.json"
                file.write_text(body)
                peer_file.write_text(json.dumps({"key": base64.b64encode(b"/registry/o/123456").decode()[:-4] + "@N@", "value": base64.b64encode(b"x" * value_bytes).decode()}))
                turn = [0]

                def ours():
                    turn[0] += 1
                    return load(bench.load, node, f"/api/v1/namespaces/default/{resource}", 16, method="POST", body=file, requests=6000, prefix=f"{number}-{turn[0]}-")

                def peer():
                    turn[0] += 1
                    return run_load(bench.load, "--plain", "--address", f"127.0.0.1:{Etcd.PORT}", "--path", "/v3/kv/put", "--method", "POST", "--body", peer_file,
                                    "--connections", 16, "--requests", 3000, "--prefix", f"{1000 + turn[0]}")
                ratio, a, b = in_turns(ours, peer, 3)
                yield at_least(f"durable creates of {what} over TLS, 16 connections", budget, a, "/s", 0, f" (etcd {b:,.0f}/s: {ratio:.1f} times)")
        finally:
            etcd.stop()
    slow = ["strace", "-f", "-q", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_exit=10000", "-o", "/dev/null"]
    with bench.node("slow", wrapper=slow) as node:
        node.start_ready()
        file = node.folder / "body.json"
        file.write_text(config_map_body(700))
        result = load(bench.load, node, "/api/v1/namespaces/default/configmaps", 16, method="POST", body=file, seconds=4)
        yield at_least("the same of 1 KB with a 10 ms fsync", 1200, result["per_second"], "/s")


def store(bench):
    out = subprocess.run([bench.programs / "store_bench"], capture_output=True, text=True).stdout
    print(out)
    pattern = r"^(create|update) (\d+) bytes, +(\d+) at a time: +(\d+)/s, ([\d.]+) syncs, ([\d.]+) KB written"
    figures = {(m[1], int(m[2]), int(m[3])): (float(m[4]), float(m[5]), float(m[6])) for m in re.finditer(pattern, out, re.M)}
    yield at_least("durable creates of 1 KB, 16 at a time, store alone", 8000, figures["create", 1000, 16][0], "/s")
    yield at_least("durable creates of 4 KB, 16 at a time, store alone", 5000, figures["create", 4000, 16][0], "/s")
    yield at_most("bytes written per durable update of 1 KB, alone", 16, figures["update", 1000, 1][2], "KB", 1)
    yield at_most("the same in a group of 16", 6, figures["update", 1000, 16][2], "KB", 1)


# --- scheduler

def scheduler(bench):
    out = subprocess.run([bench.programs / "scheduler_bench", "5000", "10000"], capture_output=True, text=True).stdout
    rate = float(re.search(r"(\d+) pods/s", out)[1])
    yield at_least("scheduler, 5,000 nodes, 10,000 pods: planned", 5000, rate, "pods/s")
    with bench.node("scheduler", flags=["--role", "master"]) as node:
        node.start_until(node.is_serving)
        wait_for(node.kubeconfig.exists, 5, "the kubeconfig")
        wait_for(lambda: node.call("GET", "/api/v1/namespaces/default/serviceaccounts")["items"], 10, "the default service account")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now, "lastTransitionTime": now}
        file = node.folder / "node.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n@N@"}, "status": {
            "capacity": {"cpu": "4", "memory": "32Gi", "pods": "110"}, "allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}, "conditions": [condition]}}))
        load(bench.load, node, "/api/v1/nodes", 16, method="POST", body=file, requests=5000)
        pod = node.folder / "pod.json"
        pod.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p@N@", "namespace": "default", "labels": {"app": "web"}}, "spec": {
            "containers": [{"name": "main", "image": IMAGE, "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}]}}))
        watch = node.connect()
        watch.request("GET", "/api/v1/namespaces/default/pods?watch=1")
        events, bound, last = watch.getresponse(), [0], [0.0]

        def count():
            seen = set()
            while bound[0] < 10_000:
                line = events.readline()
                if b'"nodeName"' not in line:
                    continue
                seen.add(re.search(rb'"name":"(p\d+)"', line)[1])
                bound[0], last[0] = len(seen), time.monotonic()
        counter = threading.Thread(target=count, daemon=True)
        counter.start()
        begin = time.monotonic()
        load(bench.load, node, "/api/v1/namespaces/default/pods", 16, method="POST", body=pod, requests=10_000)
        counter.join(120)
        yield at_least("the same with API and store: from the first create to the last bound", 3000, bound[0] / (last[0] - begin), "pods/s", 0, f" ({bound[0]:,} bound)")
        watch.close()


# --- pods

def pods(bench):
    with bench.node("pods") as node:
        node.start_ready()
        archive = node.make_image(IMAGE)
        node.import_image(archive)
        node.make_pods(1, "warm")
        podman = Podman(archive)
        ours, peer = [], []
        try:
            for number in range(7):
                ours.append(node.make_pods(1, f"one{number}"))
                peer.append(podman.start_seconds(IMAGE))
        finally:
            podman.stop()
        yield at_most("POST of one pod to Ready, image present", 0.15, median(ours), "s", 3, f" (`podman run` without a network: {median(peer):.3f} s)")
        node.delete_pods()
        for count, budget in ((30, 1.5), (50, 2)):
            took = []
            for turn in range(3):
                took.append(node.make_pods(count, f"many{count}x{turn}"))
                node.delete_pods()
            yield at_most(f"{count} pods to Ready", budget, median(took), "s")


# --- idle

def idle(bench):
    seconds = 15 if bench.is_quick else 60
    quiet_seconds = 30 if bench.is_quick else 600
    with bench.node("idle") as node:
        node.start_ready()
        node.import_new_image(IMAGE)
        time.sleep(10)
        yield at_most("idle CPU without pods", 0.1, node.cpu_share(seconds), "% of a core", 2, f", over {seconds} s")
        node.make_pods(10, "ten", probe=True)
        time.sleep(5)
        yield at_most("idle CPU, 10 pods with 1 s HTTP probes", 0.3, node.cpu_share(seconds), "% of a core", 2, f", over {seconds} s")
        node.make_pods(40, "forty", probe=True)
        time.sleep(5)
        yield at_most("idle CPU, 50 pods with 1 s HTTP probes", 1, node.cpu_share(seconds), "% of a core", 2, f", over {seconds} s")
        node.delete_pods()
        node.make_pods(10, "still")
        time.sleep(20)
        before = node.written_bytes()
        time.sleep(quiet_seconds)
        yield at_most("bytes written while idle with 10 pods", 0, node.written_bytes() - before, "bytes", 0, f", over {quiet_seconds} s")
        node.delete_pods()


def connections(bench):
    out = subprocess.run([bench.programs / "http_bench"], capture_output=True, text=True).stdout
    print(out)
    yield ("idle TLS watch", "-", f"{re.search(r'idle_watch_tls: ([0-9.]+) kB', out)[1]} kB each", None)


GROUPS = {"binary": binary, "start": start, "memory": memory, "reads": reads, "writes": writes, "store": store, "scheduler": scheduler,
          "pods": pods, "idle": idle, "connections": connections, "worker": worker, "fleet": fleet}
