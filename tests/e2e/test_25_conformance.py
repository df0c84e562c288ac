"""Behaviours of upstream's conformance suite that a release of skiff once missed (docs/conformance.md)."""
import base64
import json
import subprocess
import sys

from host import NODE_IP, PORT, SERVERS, expect, wait_for
from test_20_pods import container, container_state, delete, manifest, pod, status_of


def shell(script, **members):
    return container(command=["sh", "-c", script], **members)


def events_of(host, name):
    items = host.get("events", "--field-selector", f"involvedObject.name={name}")["items"]
    return "\n".join(f"{item['reason']}: {item['message']}" for item in items)


def output_of(host, name, spec):
    """Runs the pod to its end."""
    pod(host, name, {"restartPolicy": "Never", **spec}, wait=None)
    wait_for(lambda: status_of(host, name).get("phase") == "Succeeded", 30, f"the end of {name}")
    text = host.kubectl_ok("logs", name)
    delete(host, name)
    return text


def strict_order(host):
    """The words of field validation come in the order of the text."""
    body = ('{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"my-dep"},"spec":{"unknownField":"foo","replicas":2,"replicas":3,'
            '"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"b"}]}}}}')
    path = host.folder / "twice.json"
    path.write_text(body)
    result = host.kubectl("create", "--raw", "/apis/apps/v1/namespaces/default/deployments?fieldValidation=Strict", "-f", path)
    expect(result.stderr, r'strict decoding error: unknown field "spec\.unknownField", duplicate field "spec\.replicas"', "create")


def owner_circle(host):
    names = ["circle1", "circle2", "circle3"]
    for name in names:
        pod(host, name, {"containers": [container()]}, wait=None)
    uids = {name: host.get("pod", name)["metadata"]["uid"] for name in names}
    for name, owner in zip(names, names[-1:] + names):
        reference = {"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": uids[owner], "controller": True, "blockOwnerDeletion": True}
        host.kubectl_ok("patch", "pod", name, "--type=merge", "-p", json.dumps({"metadata": {"ownerReferences": [reference]}}))
    host.kubectl_ok("delete", "pod", names[0], "--cascade=foreground", "--timeout=30s")
    wait_for(lambda: not [p for p in host.get("pods")["items"] if p["metadata"]["name"] in names], 30, "the end of the circle")


def unfinished_line(host):
    pod(host, "unfinished", {"restartPolicy": "Never", "containers": [shell("printf DONE; exit 1", terminationMessagePolicy="FallbackToLogsOnError")]}, wait=None)
    wait_for(lambda: status_of(host, "unfinished").get("phase") == "Failed", 30, "the end")
    assert container_state(host, "unfinished")["state"]["terminated"]["message"] == "DONE"
    assert host.kubectl_ok("logs", "unfinished") == "DONE"
    delete(host, "unfinished")


def allocatable(host):
    def variable(name, resource):
        return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource}}}
    wanted = [variable("MEMORY", "limits.memory"), variable("DISK", "limits.ephemeral-storage")]
    lines = output_of(host, "allocatable", {"containers": [container(command=["env"], env=wanted)]}).splitlines()
    node = host.get("node", "node1")["status"]["allocatable"]
    assert f"MEMORY={int(node['memory'].removesuffix('Ki')) * 1024}" in lines, (node, lines)
    assert f"DISK={node['ephemeral-storage']}" in lines, (node, lines)


def sub_path_later(host):
    """A subPathExpr without its variable holds the container until the annotation is there."""
    spec = {"containers": [shell("sleep 600", env=[{"name": "SUB", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['sub']"}}}],
                                 volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(SUB)"}])],
            "volumes": [{"name": "v", "emptyDir": {}}]}
    pod(host, "subpath", spec, wait=None)
    state = wait_for(lambda: container_state(host, "subpath").get("state", {}).get("waiting", {}).get("message"), 20, "the reason")
    wait_for(lambda: "missing value for SUB" in container_state(host, "subpath")["state"]["waiting"].get("message", ""), 20, f"the reason, not {state}")
    host.kubectl_ok("annotate", "pod", "subpath", "sub=mypath")
    host.kubectl_ok("wait", "--for=condition=Ready", "pod/subpath", "--timeout=40s")
    delete(host, "subpath")


def labels_in_volumes(host):
    spec = {"containers": [shell("sleep 600", volumeMounts=[{"name": "info", "mountPath": "/info"}])],
            "volumes": [{"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}
    pod(host, "labelled", spec)
    host.kubectl_ok("label", "pod", "labelled", "key3=value3")
    wait_for(lambda: 'key3="value3"' in host.kubectl_ok("exec", "labelled", "--", "cat", "/info/labels"), 30, "the new label in the volume")
    delete(host, "labelled")


def sysctls(host):
    context = {"sysctls": [{"name": "kernel/shm_rmid_forced", "value": "1"}]}
    assert output_of(host, "sysctl", {"securityContext": context, "containers": [shell("cat /proc/sys/kernel/shm_rmid_forced")]}) == "1\n"
    pod(host, "unsafe", {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}, "containers": [container()]}, wait=None)
    wait_for(lambda: status_of(host, "unsafe").get("reason") == "SysctlForbidden", 10, "the refusal")
    expect(host.kubectl_ok("get", "pod", "unsafe"), r"^unsafe\s+0/1\s+SysctlForbidden", "get")
    delete(host, "unsafe")


def condition_reasons(host):
    """What was incomplete is no reason any more once it is complete."""
    pod(host, "initial", {"initContainers": [shell("sleep 1", name="first")], "containers": [container()]})
    condition = next(c for c in status_of(host, "initial")["conditions"] if c["type"] == "Initialized")
    assert condition["status"] == "True" and "reason" not in condition and "message" not in condition, condition
    delete(host, "initial")


def runtime_class(host):
    result = host.kubectl("create", "-f", "-", stdin=manifest("classy", {"runtimeClassName": "gvisor", "containers": [container()]}))
    expect(result.stderr, r'pods "classy" is forbidden: pod rejected: RuntimeClass "gvisor" not found', "create")


def taints(host):
    def tolerant(name, seconds):
        toleration = {"key": "maintenance", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
        pod(host, name, {"containers": [container()], "tolerations": [toleration]})
    tolerant("short", 4)
    tolerant("long", 60)
    pod(host, "none", {"containers": [container()]})
    host.kubectl_ok("taint", "node", "node1", "maintenance=soon:NoExecute")
    try:
        leaves = lambda name: "deletionTimestamp" in host.get("pod", name)["metadata"]  # noqa: E731
        is_gone = lambda name: host.kubectl("get", "pod", name).returncode != 0  # noqa: E731
        wait_for(lambda: is_gone("none") or leaves("none"), 10, "the end of the pod that tolerates nothing")
        assert not is_gone("short") and not leaves("short")
        wait_for(lambda: is_gone("short") or leaves("short"), 15, "the end of the pod that tolerates 4 s")
        assert not leaves("long")
    finally:
        host.kubectl_ok("taint", "node", "node1", "maintenance-")
    delete(host, "long")


def own_endpoints(host):
    """Endpoints that a user writes for a Service without a selector carry its traffic."""
    pod(host, "behind", {"containers": [container()]})
    address = status_of(host, "behind")["podIP"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "own"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "own"},
                 "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": "http", "port": 8080}]}]}
    for item in (service, endpoints):
        host.kubectl_ok("apply", "-f", "-", stdin=json.dumps(item))
    ip = host.get("service", "own")["spec"]["clusterIP"]
    wait_for(lambda: "hello" in host.kubectl("exec", "behind", "--", "wget", "-qO-", f"http://{ip}/").stdout, 10, "an answer")
    slices = lambda: host.get("endpointslices", "-l", "kubernetes.io/service-name=own")["items"]  # noqa: E731
    assert slices()[0]["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
    host.kubectl_ok("delete", "endpoints", "own")
    wait_for(lambda: not slices(), 10, "the end of the slice")
    host.kubectl_ok("delete", "service", "own")
    delete(host, "behind")


def host_ports(host):
    pod(host, "hostport", {"containers": [container(ports=[{"containerPort": 8080, "hostPort": 18080}, {"containerPort": 8080, "hostPort": 18081, "hostIP": NODE_IP}, {"containerPort": 8080, "hostPort": 18082, "hostIP": "127.0.0.1"}])]})
    fetch = lambda port: host.kubectl("exec", "hostport", "--", "wget", "-qO-", f"http://{NODE_IP}:{port}/").stdout  # noqa: E731
    for port in (18080, 18081):
        wait_for(lambda: "hello" in fetch(port), 10, f"an answer on port {port}")
    on_host = lambda port, address="127.0.0.1": subprocess.run(host.command(["timeout", "1", "busybox", "wget", "-qO-", f"http://{address}:{port}/"]), capture_output=True, text=True)  # noqa: E731
    for port in (18080, 18082):
        wait_for(lambda: "hello" in on_host(port).stdout, 10, f"an answer on port {port} of 127.0.0.1")
    expect(on_host(18082, NODE_IP).stderr, "refused", "what was bound to 127.0.0.1")
    host.stop()
    host.start()
    host.wait_api()
    wait_for(lambda: "hello" in fetch(18080), 20, "an answer after a restart of skiff")
    delete(host, "hostport")
    wait_for(lambda: "refused" in on_host(18080, NODE_IP).stderr, 10, "the end of the port")


def grpc_probes(host):
    server = subprocess.Popen(host.command([sys.executable, SERVERS, "grpc-health", "15051"]), stdin=subprocess.PIPE, text=True)
    try:
        def probe(port, service=""):
            return {"grpc": {"port": port, "service": service}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}
        pod(host, "grpc", {"hostNetwork": True, "containers": [shell("sleep 600", livenessProbe=probe(15051), readinessProbe=probe(15051, "ready"))]})
        pod(host, "nogrpc", {"hostNetwork": True, "containers": [shell("sleep 600", livenessProbe=probe(15059), readinessProbe=probe(15051, "down"))]}, wait=None)
        wait_for(lambda: container_state(host, "nogrpc").get("restartCount", 0) >= 1, 20, "a restart")
        assert container_state(host, "grpc")["restartCount"] == 0
        text = events_of(host, "nogrpc")
        expect(text, rf'Unhealthy: Liveness probe failed: timeout: failed to connect service "{NODE_IP}:15059" within 1s: context deadline exceeded', "events")
        expect(text, r'Unhealthy: Readiness probe failed: service unhealthy \(responded with "NOT_SERVING"\)', "events")
    finally:
        server.kill()
        server.wait()
    delete(host, "grpc", "nogrpc")


def large_empty_dir(host):
    pod(host, "filler", {"terminationGracePeriodSeconds": 30, "containers": [shell("dd if=/dev/zero of=/v/f bs=1024 count=4096 2>/dev/null; sleep 600", volumeMounts=[{"name": "v", "mountPath": "/v"}])],
                         "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]}, wait=None)
    wait_for(lambda: status_of(host, "filler").get("phase") == "Failed", 40, "the eviction")
    status = status_of(host, "filler")
    assert status["reason"] == "Evicted" and 'EmptyDir volume "v" exceeds the limit "1Mi"' in status["message"], status
    delete(host, "filler")


def older_websockets(host):
    """exec and logs over the WebSocket protocols of before v4."""
    pod(host, "socket", {"containers": [shell("echo container is alive; sleep 600")]})
    namespace = "/api/v1/namespaces/default/pods/socket"
    echo = f"{namespace}/exec?stdout=1&stderr=1&command=echo&command=remote+execution+test"

    def ask(path, protocol):
        command = [sys.executable, SERVERS, "websocket", f"{NODE_IP}:{PORT}", host.kubeconfig, path, protocol]
        return subprocess.run(host.command(command), capture_output=True, timeout=30, check=True).stdout
    for protocol in ("", "channel.k8s.io", "v4.channel.k8s.io"):
        answer = ask(echo, protocol)
        assert b"\x01remote execution test\n" in answer, (protocol, answer)
        assert (b'"Success"' in answer) == (protocol[:1] == "v"), (protocol, answer)
    assert b"1" + base64.b64encode(b"remote execution test\n") in ask(echo, "base64.channel.k8s.io")
    broken = ask(f"{namespace}/exec?stdout=1&command=false", "channel.k8s.io")
    assert b"\x03command terminated with non-zero exit code" in broken, broken
    for protocol in ("", "binary.k8s.io"):
        assert ask(f"{namespace}/log?container=main", protocol) == b"container is alive\n", protocol
    delete(host, "socket")


TESTS = [
    ("strict validation speaks in the order of the text", strict_order),
    ("a circle of owners ends", owner_circle),
    ("a last line without an end is told as it is", unfinished_line),
    ("limits default to what is allocatable", allocatable),
    ("subPathExpr waits for its variable", sub_path_later),
    ("labels that change in a volume", labels_in_volumes),
    ("sysctls: safe ones are set, others refused", sysctls),
    ("conditions lose their old reasons", condition_reasons),
    ("a RuntimeClass that is not there", runtime_class),
    ("NoExecute taints wait as long as each pod tolerates", taints),
    ("a user's own Endpoints", own_endpoints),
    ("hostPort", host_ports),
    ("gRPC probes", grpc_probes),
    ("an emptyDir over its sizeLimit", large_empty_dir),
    ("older WebSocket protocols", older_websockets),
]
