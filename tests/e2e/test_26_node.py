"""What a kubelet does for pods beyond running them: weights, rights on volumes, admission, new sandboxes."""
import json
import os
import pathlib
import signal
import time

from host import expect, wait_for
from test_20_pods import container, container_state, delete, pod, status_of
from test_25_conformance import events_of, output_of, shell

USER = {"runAsUser": 1001, "runAsGroup": 1001}


def asks(cpu):
    return {"resources": {"requests": {"cpu": cpu}}}


def cpu_weights(host):
    """Two busy pods share the cores as they asked, whatever stands between them in the control groups."""
    busy = "while :; do :; done & " * (os.cpu_count() or 1) + "wait"
    for name, cpu in (("big", "800m"), ("small", "10m")):
        pod(host, name, {"terminationGracePeriodSeconds": 0, "containers": [shell(busy, **asks(cpu))]})
    def used(name):
        """Nanoseconds."""
        uid = host.get("pod", name)["metadata"]["uid"]
        group = pathlib.Path(host.cgroup) / "burstable" / f"pod{uid}"
        for hierarchy in ("cpuacct", "cpu,cpuacct"):
            if (usage := pathlib.Path("/sys/fs/cgroup", hierarchy, group, "cpuacct.usage")).exists():
                return int(usage.read_text())
        return int(pathlib.Path("/sys/fs/cgroup", group, "cpu.stat").read_text().split()[1]) * 1000
    try:
        before = used("big"), used("small")
        time.sleep(2)
        big, small = used("big") - before[0], used("small") - before[1]
        assert big > 3 * small, f"{big} and {small} ns of CPU"  # others have the cores, too
    finally:
        delete(host, "big", "small")


def volumes_of_users(host):
    """A user without rights writes where it may, and nowhere else."""
    host.kubectl_ok("create", "configmap", "fixed", "--from-literal=key=value")
    mounts = [{"name": "own", "mountPath": "/own", "subPath": "deep/er"}, {"name": "fixed", "mountPath": "/fixed"}, {"name": "host", "mountPath": "/host"}]
    made = host.folder / "made-by-a-pod"
    volumes = [{"name": "own", "emptyDir": {}}, {"name": "fixed", "configMap": {"name": "fixed"}}, {"name": "host", "hostPath": {"path": str(made)}}]
    script = ("echo x > /own/file && cat /own/file; cat /fixed/key; echo; touch /fixed/new 2>&1; ls -ln /var/run/secrets/kubernetes.io/serviceaccount/..data/token; "
              "(httpd -p 80 -h /own && echo bound)")
    out = output_of(host, "user", {"securityContext": USER, "containers": [shell(script, volumeMounts=mounts)], "volumes": volumes})
    expect(out, r"^x\nvalue\n", "the volumes")
    expect(out, r"touch: /fixed/new: Read-only file system", "the ConfigMap")
    expect(out, r"^-rw------- +1 1001 ", "the token")
    expect(out, r"^bound$", "port 80")
    assert made.is_dir()
    host.kubectl_ok("delete", "configmap", "fixed")


def new_sandbox(host):
    """Init containers do their work again where what they did is gone."""
    init = shell("echo x > /dev/shm/there", name="setup")
    pod(host, "again", {"initContainers": [init], "containers": [shell("cat /dev/shm/there && sleep 600")]})
    uid = host.get("pod", "again")["metadata"]["uid"]
    record = json.loads((host.data / "runtime" / "pods" / f"{uid}.json").read_text())
    os.kill(record["shim"], signal.SIGKILL)
    def is_back():
        status = status_of(host, "again")
        return status["containerStatuses"][0]["restartCount"] == 1 and status["containerStatuses"][0]["ready"]
    wait_for(is_back, 30, "the new sandbox")
    assert status_of(host, "again")["initContainerStatuses"][0]["restartCount"] == 1
    expect(events_of(host, "again"), r"SandboxChanged: Pod sandbox changed", "events")
    delete(host, "again")


def admission(host):
    """A pod that names its node goes past the scheduler, not past the node."""
    def refused(name, spec, reason, message):
        pod(host, name, {"nodeName": "node1", **spec}, wait=None)
        wait_for(lambda: status_of(host, name).get("phase") == "Failed", 10, f"the end of {name}")
        status = status_of(host, name)
        assert status["reason"] == reason, status
        expect(status["message"], message, name)
        delete(host, name)
    refused("greedy", {"containers": [container(**asks("1000"))]}, "OutOfcpu", r"^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+")
    refused("picky", {"nodeSelector": {"disk": "none"}, "containers": [container()]}, "NodeAffinity", r"^Pod was rejected: Predicate NodeAffinity failed: node\(s\) didn't match Pod's node affinity/selector")
    ports = {"containers": [container(ports=[{"containerPort": 80, "hostPort": 18080}])]}
    pod(host, "first", ports)
    refused("second", ports, "NodePorts", r"free ports")
    delete(host, "first")


def storage_limit(host):
    script = "dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null; sleep 600"
    pod(host, "writer", {"containers": [shell(script, resources={"limits": {"ephemeral-storage": "1Mi"}})]}, wait=None)
    wait_for(lambda: status_of(host, "writer").get("reason") == "Evicted", 30, "the eviction")
    expect(status_of(host, "writer")["message"], r"^Pod ephemeral local storage usage exceeds the total limit of containers 1Mi\. $", "message")
    delete(host, "writer")


def not_built(host):
    """What this node has not is told, never left out."""
    for name, spec, what in (("whole", {"resources": {"limits": {"cpu": "1"}}, "containers": [container()]}, "resources of the pod as a whole"),
                             ("profiled", {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}, "containers": [container()]}, "appArmorProfile of type RuntimeDefault")):
        pod(host, name, spec, wait=None)
        wait_for(lambda: f"{what} is not supported" in events_of(host, name), 15, f"an event about {what}")
        assert not container_state(host, name).get("state", {}).get("running")
        delete(host, name)


TESTS = [
    ("CPU requests weigh between pods", cpu_weights),
    ("a user's volumes, token and port 80", volumes_of_users),
    ("init containers run again in a new sandbox", new_sandbox),
    ("a pod that names its node is admitted by the node", admission),
    ("a container over its ephemeral-storage", storage_limit),
    ("what is not built is told", not_built),
]
