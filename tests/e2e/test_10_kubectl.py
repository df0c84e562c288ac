"""kubectl of every age against the API: a table of commands with their exit codes and texts.

Nothing here needs a running pod.
"""
import json

from host import expect

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {app: demo}
data:
  a: "1"
  b: two
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: paused
spec:
  replicas: 0
  selector: {matchLabels: {app: paused}}
  template:
    metadata: {labels: {app: paused}}
    spec:
      containers:
      - name: main
        image: example.invalid/none:1
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata:
  name: paused
spec:
  selector: {app: paused}
  ports: [{port: 80, targetPort: 8080}]
"""

BAD_DEPLOYMENT = DEPLOYMENT.replace("matchLabels: {app: paused}", "matchLabels: {app: other}")

# (name, arguments, exit code, pattern of stdout, pattern of stderr, stdin)
TABLE = [
    ("version", ["version"], 0, r"v1\.36\.\d+\+skiff", "", None),
    ("api-resources", ["api-resources"], 0, r"^deployments\s+deploy\s+apps/v1\s+true\s+Deployment", "", None),
    ("api-versions", ["api-versions"], 0, r"^discovery\.k8s\.io/v1$", "", None),
    ("get namespaces", ["get", "ns"], 0, r"^kube-system\s+Active", "", None),
    ("apply", ["apply", "-f", "-"], 0, r"^configmap/settings created$", "", CONFIG_MAP),
    ("apply again", ["apply", "-f", "-"], 0, r"^configmap/settings unchanged$", "", CONFIG_MAP),
    ("apply a change", ["apply", "-f", "-"], 0, r"^configmap/settings configured$", "", CONFIG_MAP.replace("two", "\"2\"")),
    ("apply dry run", ["apply", "--dry-run=server", "-f", "-"], 0, r"configured \(server dry run\)", "", CONFIG_MAP),
    ("get", ["get", "cm", "settings"], 0, r"^NAME\s+DATA\s+AGE\nsettings\s+2\s+\d+s", "", None),
    ("get yaml", ["get", "cm", "settings", "-o", "yaml"], 0, r"^  b: \"2\"$", "", None),
    ("get jsonpath", ["get", "cm", "settings", "-o", "jsonpath={.data.b}"], 0, r"^2$", "", None),
    ("get name", ["get", "cm", "-l", "app=demo", "-o", "name"], 0, r"^configmap/settings$", "", None),
    ("get sorted", ["get", "cm", "--sort-by=.metadata.name"], 0, r"settings", "", None),
    ("get missing", ["get", "cm", "nope"], 1, "", r'^Error from server \(NotFound\): configmaps "nope" not found$', None),
    ("get unknown kind", ["get", "nopes"], 1, "", r'the server doesn\'t have a resource type "nopes"', None),
    ("describe", ["describe", "cm", "settings"], 0, r"^Name:\s+settings$", "", None),
    ("diff", ["diff", "-f", "-"], 1, r"^\+  b: two$", "", CONFIG_MAP),
    ("label", ["label", "cm", "settings", "tier=x"], 0, r"configmap/settings labeled", "", None),
    ("label taken", ["label", "cm", "settings", "tier=y"], 1, "", r"already has a value", None),
    ("annotate", ["annotate", "cm", "settings", "note=hello"], 0, r"configmap/settings annotate", "", None),
    ("patch merge", ["patch", "cm", "settings", "--type=merge", "-p", '{"data":{"c":"3"}}'], 0, r"patched", "", None),
    ("patch json", ["patch", "cm", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/c"}]'], 0, r"patched", "", None),
    ("patch json bad", ["patch", "cm", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/zz"}]'], 1, "", r"the server rejected our request|invalid|doesn't exist|missing", None),
    ("patch strategic", ["patch", "cm", "settings", "-p", '{"data":{"d":"4"}}'], 0, r"patched", "", None),
    ("server-side apply conflict", ["apply", "--server-side", "--field-manager=other", "-f", "-"], 1, "", r"conflict with \"kubectl", CONFIG_MAP),
    ("server-side apply forced", ["apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-"], 0, r"serverside-applied", "", CONFIG_MAP),
    ("create configmap", ["create", "configmap", "made", "--from-literal=k=v"], 0, r"configmap/made created", "", None),
    ("create again", ["create", "configmap", "made", "--from-literal=k=v"], 1, "", r'\(AlreadyExists\)|configmaps "made" already exists', None),
    ("create secret", ["create", "secret", "generic", "hidden", "--from-literal=k=v"], 0, r"secret/hidden created", "", None),
    ("get secret", ["get", "secret", "hidden"], 0, r"^hidden\s+Opaque\s+1\s", "", None),
    ("create service account", ["create", "serviceaccount", "robot"], 0, r"serviceaccount/robot created", "", None),
    ("create deployment", ["create", "deployment", "quick", "--image=example.invalid/none:1", "--replicas=0"], 0, r"deployment.apps/quick created", "", None),
    ("create dry run", ["create", "deployment", "never", "--image=x", "--dry-run=server", "-o", "name"], 0, r"^deployment.apps/never", "", None),
    ("dry run made nothing", ["get", "deployment", "never"], 1, "", r"NotFound", None),
    ("apply deployment", ["apply", "-f", "-"], 0, r"^deployment.apps/paused created\nservice/paused created$", "", DEPLOYMENT),
    ("get deployment", ["get", "deploy", "paused", "-o", "wide"], 0, r"^paused\s+0/0\s+0\s+0\s+\d+s\s+main\s+example.invalid/none:1\s+app=paused", "", None),
    ("get service", ["get", "svc", "paused"], 0, r"^paused\s+ClusterIP\s+10\.43\.\d+\.\d+\s+<none>\s+80/TCP", "", None),
    ("describe deployment", ["describe", "deploy", "paused"], 0, r"^StrategyType:\s+RollingUpdate", "", None),
    ("describe service", ["describe", "svc", "paused"], 0, r"^TargetPort:\s+8080/TCP", "", None),
    ("scale", ["scale", "deploy", "paused", "--replicas=0", "--current-replicas=0"], 0, r"scaled", "", None),
    ("scale mismatch", ["scale", "deploy", "paused", "--replicas=1", "--current-replicas=7"], 1, "", r"Expected replicas to be 7, was 0", None),
    ("rollout pause", ["rollout", "pause", "deploy/paused"], 0, r"paused", "", None),
    ("rollout resume", ["rollout", "resume", "deploy/paused"], 0, r"resumed", "", None),
    ("set image", ["set", "image", "deploy/paused", "main=example.invalid/none:2"], 0, r"image updated", "", None),
    ("expose", ["expose", "deploy", "quick", "--port=80", "--type=NodePort"], 0, r"service/quick exposed", "", None),
    ("node port", ["get", "svc", "quick", "-o", "jsonpath={.spec.ports[0].nodePort}"], 0, r"^3[0-2]\d{3}$", "", None),
    ("explain", ["explain", "deployment.spec.strategy"], 0, r"rollingUpdate", "", None),
    ("explain missing", ["explain", "deployment.spec.nope"], 1, "", r'field "nope" does not exist', None),
    ("bad yaml", ["apply", "-f", "-"], 1, "", r"error parsing|error converting YAML", "a: [1, 2\nb: 3\n"),
    ("selector mismatch", ["create", "-f", "-"], 1, "", r"`selector` does not match template `labels`", BAD_DEPLOYMENT.split("---")[0].replace("name: paused", "name: bad")),
    ("bad name", ["create", "configmap", "Bad_Name"], 1, "", r"a lowercase RFC 1123 subdomain must consist of", None),
    ("missing namespace", ["create", "configmap", "x", "-n", "nowhere"], 1, "", r'namespaces "nowhere" not found', None),
    ("wait", ["wait", "--for=condition=Available", "deploy/paused", "--timeout=20s"], 0, r"condition met", "", None),
    ("delete", ["delete", "cm", "settings", "made"], 0, r'configmap "settings" deleted', "", None),
    ("delete missing", ["delete", "cm", "settings"], 1, "", r"NotFound", None),
    ("delete missing ignored", ["delete", "cm", "settings", "--ignore-not-found"], 0, "", "", None),
    ("delete by label", ["delete", "deploy,svc", "-l", "app=quick"], 0, r"deleted", "", None),
]


def namespace_of(version):
    return "kubectl-" + version.replace(".", "-")


def make_case(version, row):
    name, arguments, code, out, err, stdin = row

    def case(host):
        where = f"kubectl {version} {' '.join(arguments)}"
        scoped = arguments if "-n" in arguments else ["-n", namespace_of(version), *arguments]
        result = host.kubectl(*scoped, version=version, stdin=stdin)
        assert result.returncode == code, f"{where}: exit code {result.returncode}, not {code}:\n{result.stdout}{result.stderr}"
        if out:
            expect(result.stdout, out, where)
        if err:
            expect(result.stderr, err, where)
    return (f"{version} {name}", case)


def prepare(host):
    for version in host.kubectls:
        host.kubectl_ok("create", "namespace", namespace_of(version), version=version)


def strict_fields(host):
    body = CONFIG_MAP.replace("settings", "strict") + "extra: 1\n"
    result = host.kubectl("create", "--validate=strict", "-f", "-", stdin=body)
    assert result.returncode == 1
    expect(result.stderr, r'unknown field "extra"', "strict")
    result = host.kubectl("create", "--validate=warn", "-f", "-", stdin=body)
    assert result.returncode == 0, result.stderr
    expect(result.stderr, r'Warning: unknown field "extra"', "warn")
    host.kubectl_ok("delete", "cm", "strict")


def edit_with_an_editor(host):
    host.kubectl_ok("create", "cm", "edited", "--from-literal=k=old")
    out = host.kubectl("edit", "cm", "edited", env={"KUBE_EDITOR": "sed -i s/old/new/"})
    assert out.returncode == 0, out.stderr
    assert host.get("cm", "edited")["data"]["k"] == "new"
    host.kubectl_ok("delete", "cm", "edited")


def stale_update(host):
    host.kubectl_ok("create", "cm", "stale", "--from-literal=k=1")
    old = host.get("cm", "stale")
    host.kubectl_ok("patch", "cm", "stale", "-p", '{"data":{"k":"2"}}')
    result = host.kubectl("replace", "-f", "-", stdin=json.dumps(old))
    assert result.returncode == 1
    expect(result.stderr, r"Operation cannot be fulfilled on configmaps \"stale\": the object has been modified", "replace")
    host.kubectl_ok("delete", "cm", "stale")


def too_large_body(host):
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"k": "x" * (4 << 20)}})
    result = host.kubectl("create", "-f", "-", stdin=body)
    assert result.returncode == 1
    expect(result.stderr, r"[Rr]equest entity too large", "big body")


def delete_namespace(host):
    for version in host.kubectls:
        host.kubectl_ok("delete", "namespace", namespace_of(version), "--timeout=30s", version=version)
    names = [item["metadata"]["name"] for item in host.get("ns")["items"]]
    assert not [n for n in names if n.startswith("kubectl-")], names


def every_version(row):
    def case(host):
        failures = []
        for version in host.kubectls:
            try:
                make_case(version, row)[1](host)
            except AssertionError as error:
                failures.append(str(error))
        assert not failures, f"{len(failures)} of {len(host.kubectls)} versions:\n" + "\n".join(failures)
    return (row[0], case)


TESTS = [("namespaces", prepare)] + [every_version(row) for row in TABLE] + [
    ("strict and warned fields", strict_fields),
    ("edit", edit_with_an_editor),
    ("stale update", stale_update),
    ("body over the limit", too_large_body),
    ("delete namespaces", delete_namespace),
]
