"""Pods on a real node: images, runc, logs, status, probes, volumes, restarts."""
import json
import signal
import subprocess
import time

from host import SLOWNESS, expect, wait_for

IMAGE = "skiff.test/web:1"


def manifest(name, spec, kind="Pod", labels=None, namespace="default"):
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels or {"app": name}}, "spec": spec})


def container(name="main", **members):
    return {"name": name, "image": IMAGE, "imagePullPolicy": "Never", **members}


def pod(host, name, spec, wait="Ready"):
    host.kubectl_ok("apply", "-f", "-", stdin=manifest(name, {"terminationGracePeriodSeconds": 2, **spec}))
    if wait:
        host.kubectl_ok("wait", f"--for=condition={wait}", f"pod/{name}", "--timeout=30s")


def status_of(host, name):
    return host.get("pod", name)["status"]


def container_state(host, name, index=0):
    statuses = status_of(host, name).get("containerStatuses") or [{}]
    return statuses[index]


def delete(host, *names):
    host.kubectl_ok("delete", "pod", *names, "--timeout=30s")


def node_ready(host):
    host.wait_node_ready()
    node = host.get("node", "node1")
    conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    assert conditions["Ready"] == "True" and conditions["MemoryPressure"] == "False", conditions
    expect(host.kubectl_ok("get", "nodes", "-o", "wide"), r"^node1\s+Ready\s+.*192\.0\.2\.10", "get nodes")


def image_commands(host):
    host.import_new_image(IMAGE)  # once more: nothing new
    result = host.skiff_command("image", "list", "--data-dir", host.data, "--runtime-dir", host.runtime)
    expect(result.stdout, r"skiff\.test/web", "image list")
    bad = host.skiff_command("image", "import", "--data-dir", host.data, "--runtime-dir", host.runtime, "/nope.tar")
    assert bad.returncode == 1
    expect(bad.stderr, r"/nope\.tar", "image import")


def runs_and_logs(host):
    pod(host, "web", {"containers": [container(args=None, env=[{"name": "GREETING", "value": "hi"}])]})
    out = host.kubectl_ok("get", "pod", "web", "-o", "wide")
    expect(out, r"^web\s+1/1\s+Running\s+0\s+\d+s\s+10\.42\.\d+\.\d+\s+node1", "get pod")
    pod(host, "talker", {"containers": [container(command=["sh", "-c", "echo one; echo two >&2; echo three; sleep 600"])]})
    # Output and error are two pipes: their order against each other is the kernel's.
    wait_for(lambda: sorted(host.kubectl("logs", "talker").stdout.split()) == ["one", "three", "two"], 10, "three lines of log")
    assert len(host.kubectl_ok("logs", "talker", "--tail=1").split()) == 1
    expect(host.kubectl_ok("logs", "talker", "--timestamps"), r"^\d{4}-\d\d-\d\dT[0-9:.]+Z one$", "timestamps")
    expect(host.kubectl_ok("describe", "pod", "talker"), r"Normal\s+Started.*Started container main|Container started", "events")


def image_config(host):
    host.import_new_image("skiff.test/user:1", User="web", Entrypoint=["sh", "-c"], Cmd=["id; env; pwd; sleep 600"], WorkingDir="/tmp", StopSignal="SIGINT")
    pod(host, "user", {"containers": [{"name": "main", "image": "skiff.test/user:1"}]})
    wait_for(lambda: "/tmp" in host.kubectl("logs", "user").stdout, 10, "the log")
    text = host.kubectl_ok("logs", "user")
    expect(text, r"uid=1000", "USER")
    expect(text, r"^IMAGE_ENV=set$", "ENV")
    expect(text, r"^KUBERNETES_SERVICE_HOST=10\.43\.0\.1$", "service environment")
    delete(host, "user")


def missing_image(host):
    pod(host, "noimage", {"containers": [{"name": "main", "image": "127.0.0.1:1/none:1"}]}, wait=None)
    reason = lambda: container_state(host, "noimage").get("state", {}).get("waiting", {}).get("reason")
    wait_for(lambda: reason() in ("ErrImagePull", "ImagePullBackOff"), 30, "ErrImagePull")
    wait_for(lambda: reason() == "ImagePullBackOff", 60, "ImagePullBackOff")
    delete(host, "noimage")


def wrong_command(host):
    pod(host, "nocommand", {"containers": [container(command=["/no/such/program"])]}, wait=None)
    waiting = lambda: container_state(host, "nocommand").get("state", {}).get("waiting", {})
    wait_for(lambda: waiting().get("reason") in ("RunContainerError", "CrashLoopBackOff"), 30, "RunContainerError")
    wait_for(lambda: "no/such/program" in json.dumps(container_state(host, "nocommand")), 10, "runc's message")
    delete(host, "nocommand")


def restarts_and_back_off(host):
    pod(host, "crasher", {"containers": [container(command=["sh", "-c", "echo run; exit 3"])]}, wait=None)
    wait_for(lambda: container_state(host, "crasher").get("restartCount", 0) >= 1, 30, "a restart")
    wait_for(lambda: container_state(host, "crasher").get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff", 30, "CrashLoopBackOff")
    state = container_state(host, "crasher")
    assert state["lastState"]["terminated"]["exitCode"] == 3, state
    expect(host.kubectl_ok("logs", "crasher", "--previous"), r"^run$", "logs --previous")
    expect(host.kubectl_ok("get", "pod", "crasher"), r"CrashLoopBackOff", "get pod")
    delete(host, "crasher")


def jobs_of_one_pod(host):
    pod(host, "once", {"restartPolicy": "Never", "containers": [container(command=["sh", "-c", "echo done > /dev/termination-log; exit 0"])]}, wait=None)
    wait_for(lambda: status_of(host, "once").get("phase") == "Succeeded", 20, "Succeeded")
    assert container_state(host, "once")["state"]["terminated"]["message"].strip() == "done"
    expect(host.kubectl_ok("get", "pod", "once"), r"^once\s+0/1\s+Completed\s+0", "get pod")
    pod(host, "failed", {"restartPolicy": "Never", "containers": [container(command=["sh", "-c", "exit 7"])]}, wait=None)
    wait_for(lambda: status_of(host, "failed").get("phase") == "Failed", 20, "Failed")
    delete(host, "once", "failed")


def init_containers(host):
    volume = [{"name": "shared", "mountPath": "/shared"}]
    pod(host, "init", {"volumes": [{"name": "shared", "emptyDir": {}}],
                       "initContainers": [container("first", command=["sh", "-c", "echo prepared > /shared/f"], volumeMounts=volume)],
                       "containers": [container(command=["sh", "-c", "cat /shared/f; sleep 600"], volumeMounts=volume)]})
    wait_for(lambda: host.kubectl("logs", "init", "-c", "main").stdout == "prepared\n", 10, "the file of the init container")
    delete(host, "init")


def volumes(host):
    host.kubectl_ok("create", "configmap", "conf", "--from-literal=key=value1")
    host.kubectl_ok("create", "secret", "generic", "sec", "--from-literal=password=hunter2")
    mounts = [{"name": n, "mountPath": f"/{n}"} for n in ("conf", "sec", "down", "host", "mem", "all")]
    pod(host, "volumes", {
        "volumes": [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "sec", "secret": {"secretName": "sec", "defaultMode": 0o400}},
                    {"name": "down", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    {"name": "host", "hostPath": {"path": "/etc/debian_version", "type": "File"}},
                    {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                    {"name": "all", "projected": {"sources": [{"configMap": {"name": "conf"}}, {"secret": {"name": "sec"}}]}}],
        "containers": [container(command=["sh", "-c", "cat /conf/key /sec/password /down/labels /host /all/key; ls /var/run/secrets/kubernetes.io/serviceaccount; sleep 600"], volumeMounts=mounts,
                                 env=[{"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "password"}}}])]})
    wait_for(lambda: "token" in host.kubectl("logs", "volumes").stdout, 10, "the token volume")
    text = host.kubectl_ok("logs", "volumes")
    for part in ("value1", "hunter2", 'app="volumes"', "ca.crt", "namespace"):
        assert part in text, f"{part} is not in {text}"
    host.kubectl_ok("patch", "configmap", "conf", "-p", '{"data":{"key":"value2"}}')
    wait_for(lambda: "value2" in host.kubectl("exec", "volumes", "--", "cat", "/conf/key").stdout, 90, "the updated config map", 0.5)
    delete(host, "volumes")
    host.kubectl_ok("delete", "configmap/conf", "secret/sec")


def probes(host):
    pod(host, "probed", {"containers": [container(
        readinessProbe={"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1},
        livenessProbe={"exec": {"command": ["sh", "-c", "test ! -f /tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 2},
        startupProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1})]})
    host.kubectl_ok("exec", "probed", "--", "touch", "/tmp/sick")
    wait_for(lambda: container_state(host, "probed").get("restartCount") == 1, 30, "the restart by the liveness probe")
    expect(host.kubectl_ok("describe", "pod", "probed"), r"Liveness probe failed", "events")
    pod(host, "unready", {"containers": [container(readinessProbe={"httpGet": {"path": "/none", "port": 8080}, "periodSeconds": 1})]}, wait="PodScheduled")
    wait_for(lambda: "Readiness probe failed: HTTP probe failed with statuscode: 404" in host.kubectl("describe", "pod", "unready").stdout, 20, "the probe's event", 0.3)
    assert container_state(host, "unready")["ready"] is False
    delete(host, "probed", "unready")


def security_context(host):
    pod(host, "secure", {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000, "runAsNonRoot": True},
                         "containers": [container(command=["sh", "-c", "id; touch /x; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; sleep 600"],
                                                  securityContext={"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}})]})
    wait_for(lambda: "NoNewPrivs" in host.kubectl("logs", "secure").stdout, 10, "the log")
    text = host.kubectl_ok("logs", "secure")
    for pattern in (r"uid=1000.*gid=1000", r"Read-only file system", r"CapEff:\s+0{16}", r"NoNewPrivs:\s+1"):
        expect(text, pattern, "secure")
    pod(host, "root", {"securityContext": {"runAsNonRoot": True}, "containers": [container()]}, wait=None)
    wait_for(lambda: container_state(host, "root").get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError", 20, "CreateContainerConfigError")
    delete(host, "secure", "root")


def out_of_memory(host):
    pod(host, "hungry", {"restartPolicy": "Never", "containers": [container(command=["sh", "-c", "x=$(yes | head -c 200000000)"], resources={"limits": {"memory": "32Mi"}})]}, wait=None)
    wait_for(lambda: container_state(host, "hungry").get("state", {}).get("terminated"), 60, "its end")
    assert container_state(host, "hungry")["state"]["terminated"]["reason"] == "OOMKilled"
    delete(host, "hungry")


def graceful_end(host):
    grace = int(20 * SLOWNESS)
    pod(host, "graceful", {"terminationGracePeriodSeconds": grace, "containers": [container(
        command=["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.1; done"],
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "echo stopping > /proc/1/fd/1"]}}})]})
    follow = subprocess.Popen(host.command([list(host.kubectls.values())[-1], "--kubeconfig", str(host.kubeconfig), "logs", "-f", "graceful"]), stdout=-1, text=True)
    start = time.monotonic()
    delete(host, "graceful")
    assert time.monotonic() - start < grace / 2, "the grace period was waited for"
    out, _ = follow.communicate(timeout=10)
    assert "bye" in out, out


def restart_keeps_containers(host):
    pod(host, "keeper", {"containers": [container(command=["sh", "-c", "keeper=1; i=0; while true; do echo $i; i=$((i+1)); sleep 0.1; done"])]})
    pod(host, "finished", {"restartPolicy": "OnFailure", "containers": [container(command=["sh", "-c", "echo ran"])]}, wait=None)
    wait_for(lambda: status_of(host, "finished").get("phase") == "Succeeded", 20, "Succeeded")
    before = container_state(host, "keeper")
    pids = host.inside(["pgrep", "-f", "keeper=1; i=0"]).split()
    for signal_number in (signal.SIGKILL, signal.SIGTERM):
        host.stop(signal_number)
        time.sleep(0.5)
        host.start()
        host.wait_api()
        host.wait_node_ready()
        wait_for(lambda: container_state(host, "keeper").get("ready"), 20, "Ready again")
        after = container_state(host, "keeper")
        assert after["containerID"] == before["containerID"] and after["restartCount"] == 0, after
        assert host.inside(["pgrep", "-f", "keeper=1; i=0"]).split() == pids
        lines = [int(n) for n in host.kubectl_ok("logs", "keeper").split()]
        assert lines == list(range(lines[0], lines[0] + len(lines))), "the log has a gap"
        finished = container_state(host, "finished")
        assert finished["restartCount"] == 0 and finished["state"]["terminated"]["exitCode"] == 0, finished
        assert host.kubectl_ok("logs", "finished") == "ran\n"
    delete(host, "keeper", "finished")


def unsupported_is_said(host):
    pod(host, "claimer", {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}], "containers": [container(volumeMounts=[{"name": "v", "mountPath": "/v"}])]}, wait=None)
    wait_for(lambda: "persistentvolumeclaim" in host.kubectl("describe", "pod", "claimer").stdout.lower(), 20, "an event that names the claim", 0.3)
    delete(host, "claimer")


def clean_up(host):
    host.kubectl_ok("delete", "pod", "--all", "--timeout=60s")
    assert not host.get("pods")["items"]


TESTS = [("node is Ready", node_ready), ("image import and list", image_commands), ("a pod runs and logs", runs_and_logs),
         ("the image's config is honoured", image_config), ("missing image", missing_image), ("wrong command", wrong_command),
         ("restarts and back-off", restarts_and_back_off), ("pods that end", jobs_of_one_pod), ("init containers", init_containers),
         ("volumes", volumes), ("probes", probes), ("security context", security_context), ("out of memory", out_of_memory),
         ("graceful end", graceful_end), ("what is not built yet is said", unsupported_is_said),
         ("a restart of skiff keeps containers", restart_keeps_containers), ("clean-up", clean_up)]
