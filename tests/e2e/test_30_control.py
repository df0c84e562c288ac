"""Deployments, ReplicaSets, garbage collection, scheduling: what controllers do, seen by kubectl."""
import json
import time

from host import expect, wait_for

IMAGE = "skiff.test/web:1"


def deployment(name, replicas=3, image=IMAGE, **spec):
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, **spec,
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
            "name": "main", "image": image, "imagePullPolicy": "Never", "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}]}}}})


def apply_deployment(host):
    host.kubectl_ok("apply", "-f", "-", stdin=deployment("web"))
    expect(host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s"), r'deployment "web" successfully rolled out', "rollout status")
    expect(host.kubectl_ok("get", "deploy", "web"), r"^web\s+3/3\s+3\s+3\s", "get deploy")
    assert host.get("deploy", "web")["metadata"]["generation"] == 1, "what the controller notes is no change by the user"
    expect(host.kubectl_ok("get", "rs", "-l", "app=web"), r"^web-[0-9a-z]+\s+3\s+3\s+3\s", "get rs")
    expect(host.kubectl_ok("describe", "deploy", "web"), r"Scaled up replica set web-\S+ (from 0 )?to 3", "describe")


def scale(host):
    for replicas in (5, 2):
        host.kubectl_ok("scale", "deploy/web", f"--replicas={replicas}")
        host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")
        wait_for(lambda: len([p for p in host.pods("app=web") if not p["metadata"].get("deletionTimestamp")]) == replicas, 30, f"{replicas} pods")


def rollout_and_undo(host):
    host.kubectl_ok("set", "env", "deploy/web", "VERSION=2")
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")
    expect(host.kubectl_ok("rollout", "history", "deploy/web"), r"^1\s.*\n2\s", "history")
    host.kubectl_ok("rollout", "undo", "deploy/web")
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")
    env = host.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0].get("env")
    assert not env, env
    host.kubectl_ok("rollout", "restart", "deploy/web")
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")


def a_deleted_pod_is_replaced(host):
    gone = host.pods("app=web")[0]["metadata"]
    host.kubectl_ok("delete", "pod", gone["name"], "--timeout=30s")
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")
    assert gone["uid"] not in [p["metadata"]["uid"] for p in host.pods("app=web")]


def failed_rollout(host):
    host.kubectl_ok("patch", "deploy", "web", "-p", '{"spec":{"progressDeadlineSeconds":3}}')
    host.kubectl_ok("set", "image", "deploy/web", "main=skiff.test/none:1")
    result = host.kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    assert result.returncode == 1
    expect(result.stderr, r'deployment "web" exceeded its progress deadline', "rollout status")
    host.kubectl_ok("rollout", "undo", "deploy/web")
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")


def unschedulable(host):
    spec = {"containers": [{"name": "main", "image": IMAGE, "resources": {"requests": {"cpu": "1000"}}}]}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "huge"}, "spec": spec}))
    wait_for(lambda: "0/1 nodes are available: 1 Insufficient cpu" in host.kubectl("describe", "pod", "huge").stdout, 20, "FailedScheduling", 0.3)
    assert host.get("pod", "huge")["status"]["phase"] == "Pending"
    host.kubectl_ok("delete", "pod", "huge", "--timeout=20s")


def cordon(host):
    host.kubectl_ok("cordon", "node1")
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "later"}, "spec": {"containers": [{"name": "main", "image": IMAGE}], "terminationGracePeriodSeconds": 1}}))
    wait_for(lambda: "unschedulable" in host.kubectl("describe", "pod", "later").stdout, 20, "FailedScheduling", 0.3)
    host.kubectl_ok("uncordon", "node1")
    host.kubectl_ok("wait", "--for=condition=Ready", "pod/later", "--timeout=30s")
    host.kubectl_ok("delete", "pod", "later", "--timeout=20s")


def orphans_and_cascades(host):
    host.kubectl_ok("apply", "-f", "-", stdin=deployment("tree", 1))
    host.kubectl_ok("rollout", "status", "deploy/tree", "--timeout=60s")
    host.kubectl_ok("delete", "deploy", "tree", "--cascade=orphan")
    assert len(host.get("rs", "-l", "app=tree")["items"]) == 1
    host.kubectl_ok("delete", "rs", "-l", "app=tree", "--cascade=foreground", "--timeout=30s")
    assert not host.pods("app=tree")


def namespace_with_content(host):
    host.kubectl_ok("create", "namespace", "doomed")
    wait_for(lambda: host.kubectl("get", "sa", "default", "-n", "doomed").returncode == 0, 10, "the default service account")
    host.kubectl_ok("create", "configmap", "x", "-n", "doomed")
    host.kubectl_ok("apply", "-n", "doomed", "-f", "-", stdin=deployment("inside", 1).replace('"namespace": "default"', '"namespace": "doomed"'))
    host.kubectl_ok("rollout", "status", "deploy/inside", "-n", "doomed", "--timeout=60s")
    expect(host.kubectl_ok("get", "cm", "kube-root-ca.crt", "-n", "doomed", "-o", "yaml"), r"BEGIN CERTIFICATE", "root ca")
    host.kubectl_ok("delete", "namespace", "doomed", "--timeout=60s")


def delete_all(host):
    host.kubectl_ok("delete", "deploy", "--all", "--timeout=30s")
    wait_for(lambda: not host.get("pods")["items"], 30, "no pods")


TESTS = [("a Deployment of 3", apply_deployment), ("scale", scale), ("rollout, history, undo, restart", rollout_and_undo),
         ("a deleted pod is replaced", a_deleted_pod_is_replaced), ("a rollout that fails", failed_rollout),
         ("what does not fit waits and says why", unschedulable), ("cordon", cordon), ("orphans and cascades", orphans_and_cascades),
         ("a namespace goes with its content", namespace_with_content), ("clean-up", delete_all)]
