"""Pod network, Services, DNS: from the host and from pods."""
import json
import subprocess
import sys
import threading
import time

from host import NODE_IP, SERVERS, expect, run, wait_for

IMAGE = "skiff.test/web:1"


def apply(host, *objects):
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def service(name, selector=None, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": {**({"selector": {"app": selector or name}} if selector != "" else {}), "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec}}


def from_pod(host, *command, pod="client", timeout=20):
    return host.kubectl("exec", pod, "--", *command, timeout=timeout)


def fetch(host, url):
    return subprocess.run(host.command(["curl", "-s", "--max-time", "3", url]), capture_output=True, text=True)


def prepare(host):
    container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", "hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"],
                 "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}, "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    apply(host, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}}}},
          {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client", "namespace": "default", "labels": {"app": "client"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "10000"]}, {"name": "side", "image": IMAGE, "imagePullPolicy": "Never"}]}},
          service("web"), service("node", "web", type="NodePort"), service("headless", "web", clusterIP="None"), service("empty", "nobody"),
          service("sticky", "web", sessionAffinity="ClientIP"), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside", "namespace": "default"}, "spec": {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}})
    host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=60s")
    host.kubectl_ok("wait", "--for=condition=Ready", "pod/client", "--timeout=30s")


def cluster_ip(host, name="web"):
    return host.get("svc", name)["spec"]["clusterIP"]


def pods_reach_each_other(host):
    for pod in host.pods("app=web"):
        address = pod["status"]["podIP"]
        assert from_pod(host, "wget", "-qO-", f"http://{address}:8080/").stdout.strip() == pod["metadata"]["name"]
        assert fetch(host, f"http://{address}:8080/").stdout.strip() == pod["metadata"]["name"]
    expect(from_pod(host, "wget", "-qO-", "http://127.0.0.1:8080/").stdout, r"hello", "localhost of the pod")


def cluster_ip_spreads(host):
    names = {p["metadata"]["name"] for p in host.pods("app=web")}
    address = cluster_ip(host)
    wait_for(lambda: fetch(host, f"http://{address}/").returncode == 0, 10, "the Service's rules")
    answers = [fetch(host, f"http://{address}/") for _ in range(40)]
    assert {answer.stdout.strip() for answer in answers} == names, answers
    for _ in range(25):
        answer = from_pod(host, "wget", "-qO-", f"http://{address}/")
        assert answer.stdout.strip() in names, answer


def node_port(host):
    port = host.get("svc", "node")["spec"]["ports"][0]["nodePort"]
    assert fetch(host, f"http://{NODE_IP}:{port}/").stdout.strip()
    assert from_pod(host, "wget", "-qO-", f"http://{NODE_IP}:{port}/").stdout.strip()


def affinity(host):
    address = cluster_ip(host, "sticky")
    assert len({fetch(host, f"http://{address}/").stdout for _ in range(20)}) == 1


def empty_refuses(host):
    address = cluster_ip(host, "empty")
    assert fetch(host, f"http://{address}/").returncode == 7, "curl: connection refused"
    assert from_pod(host, "wget", "-qO-", f"http://{address}/").returncode != 0


def itself(host):
    pod = host.pods("app=web")[0]["metadata"]["name"]
    address = cluster_ip(host)
    answers = {from_pod(host, "wget", "-qO-", f"http://{address}/", pod=pod).stdout.strip() for _ in range(20)}
    assert pod in answers, answers


def names(host):
    for name in ("web", "web.default", "web.default.svc.cluster.local"):
        expect(from_pod(host, "wget", "-qO-", f"http://{name}/").stdout, r"^web-", name)
    found = from_pod(host, "nslookup", "headless.default.svc.cluster.local").stdout
    for pod in host.pods("app=web"):
        assert pod["status"]["podIP"] in found, found
    expect(from_pod(host, "nslookup", "kubernetes.default.svc.cluster.local").stdout, r"10\.43\.0\.1", "kubernetes")
    expect(from_pod(host, "nslookup", "outside.default.svc.cluster.local").stdout, r"web\.default\.svc\.cluster\.local", "ExternalName")
    address = cluster_ip(host)
    expect(from_pod(host, "nslookup", address).stdout, r"web\.default\.svc\.cluster\.local", "reverse")
    dashed = host.pods("app=web")[0]["status"]["podIP"].replace(".", "-")
    expect(from_pod(host, "nslookup", f"{dashed}.default.pod.cluster.local").stdout, dashed.replace("-", r"\."), "pod name")
    assert from_pod(host, "nslookup", "nope.default.svc.cluster.local").returncode != 0
    expect(from_pod(host, "cat", "/etc/resolv.conf").stdout, r"^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local", "resolv.conf")


def the_api_from_a_pod(host):
    script = "T=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token); wget -qO- --no-check-certificate --header \"Authorization: Bearer $T\" https://kubernetes.default.svc/version"
    result = from_pod(host, "sh", "-c", script)
    # busybox-static may lack TLS; then the Service must at least take a connection.
    if result.returncode != 0:
        assert from_pod(host, "nc", "-w", "2", "kubernetes.default.svc", "443", "-e", "/bin/true").returncode == 0, result.stderr
    else:
        expect(result.stdout, r"v1\.36", "version")


def rollout_without_a_failed_request(host):
    address, failures, count, stop = cluster_ip(host), [], [0], threading.Event()

    def load():
        while not stop.is_set():
            result = fetch(host, f"http://{address}/")
            count[0] += 1
            if result.returncode != 0 or not result.stdout.startswith("web-"):
                failures.append(result.returncode)
            time.sleep(0.01)
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        host.kubectl_ok("rollout", "restart", "deploy/web")
        host.kubectl_ok("rollout", "status", "deploy/web", "--timeout=90s")
        time.sleep(3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and count[0] > 50, f"{len(failures)} of {count[0]} requests failed: {failures[:5]}"


def proxy_verb(host):
    expect(host.kubectl_ok("get", "--raw", "/api/v1/namespaces/default/services/web:http/proxy/"), r"^web-", "service proxy")
    pod = host.pods("app=web")[0]["metadata"]["name"]
    expect(host.kubectl_ok("get", "--raw", f"/api/v1/namespaces/default/pods/{pod}:8080/proxy/"), pod, "pod proxy")
    metrics = host.kubectl_ok("get", "--raw", "/api/v1/nodes/node1/proxy/metrics/resource")
    expect(metrics, rf'^container_cpu_usage_seconds_total{{container="[a-z]+",namespace="default",pod="{pod}"}} [0-9.]+ [0-9]+$', "the node's metrics")


# A page, and a protocol of its own behind an upgrade: it sends back what it gets.
SMALL_SERVER = r'''
while true; do nc -l -p 9000 -e sh -c '
  read line; while read field && [ "$field" != "$(printf "\r")" ]; do :; done
  case "$line" in
    *echo*) printf "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"; exec cat ;;
    *) printf "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<a href=/next>next</a>" ;;
  esac'; done
'''


def through_kubectl_proxy(host):
    """As a browser beside `kubectl proxy`: links stay below the proxy, WebSockets and their like get through."""
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", SMALL_SERVER]}]}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "page"}, "spec": spec}))
    host.kubectl_ok("wait", "--for=condition=Ready", "pod/page", "--timeout=30s")
    path = "/api/v1/namespaces/default/pods/page:9000/proxy/"
    proxy = subprocess.Popen(host.command([list(host.kubectls.values())[-1], "--kubeconfig", host.kubeconfig, "proxy", "--port=18001"]), stdout=subprocess.DEVNULL)
    try:
        page = lambda: fetch(host, f"http://127.0.0.1:18001{path}").stdout
        assert wait_for(page, 20, "the page") == f"<a href={path}next>next</a>", page()
        client = host.command([sys.executable, SERVERS, "upgrade", "127.0.0.1:18001", path + "echo", "echo", "there and back"])
        assert run(client, timeout=20).stdout == "there and back", run(client, timeout=20)
    finally:
        proxy.kill()
        proxy.wait()
    host.kubectl_ok("delete", "pod", "page", "--timeout=30s")


def removed_services_go(host):
    address = cluster_ip(host)
    host.kubectl_ok("delete", "svc", "web", "node", "headless", "empty", "sticky", "outside")
    wait_for(lambda: fetch(host, f"http://{address}/").returncode == 7, 10, "the end of the Service's rules")
    host.kubectl_ok("delete", "deploy/web", "pod/client", "--timeout=60s")


TESTS = [("a Deployment with Services", prepare), ("pods and host reach pods", pods_reach_each_other), ("ClusterIP spreads", cluster_ip_spreads), ("NodePort", node_port),
         ("session affinity", affinity), ("a Service without endpoints refuses", empty_refuses), ("a pod reaches itself", itself), ("DNS names", names),
         ("the API from a pod", the_api_from_a_pod), ("proxy of services, pods and nodes", proxy_verb), ("kubectl proxy", through_kubectl_proxy), ("a rollout loses no request", rollout_without_a_failed_request), ("removed Services go", removed_services_go)]
