"""Tokens: bound ones, for other audiences, in Secrets, for bootstrapping; reviews, published keys, keys that rotate."""
import base64
import datetime
import json
import os

from host import expect, run, wait_for

NAMESPACE = "tokens"
IMAGE = "skiff.test/web:1"
ISSUER = "https://kubernetes.default.svc.cluster.local"


def part(token, index):
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def claims_of(token):
    return part(token, 1)


def create_token(host, *arguments):
    return host.kubectl_ok("create", "token", "robot", "-n", NAMESPACE, *arguments).strip()


def kubectl_with(host, token):
    """A kubectl with a token and nothing else."""
    config = json.loads(host.kubectl_ok("config", "view", "--raw", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = host.folder / "token.kubeconfig"
    path.write_text(json.dumps(config))
    binary = list(host.kubectls.values())[-1]
    home = host.folder / "home-token"
    home.mkdir(exist_ok=True)
    return lambda *arguments: run(host.command([binary, "--kubeconfig", path, *arguments]), timeout=60, env={**os.environ, "HOME": str(home)})


def is_accepted(host, token):
    result = kubectl_with(host, token)("get", "--raw", "/api")
    if result.returncode == 0:
        return True
    expect(result.stderr, r"You must be logged in to the server|Unauthorized", "a refused token")
    return False


def review(host, token, audiences=()):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": list(audiences)}}
    return json.loads(host.kubectl_ok("create", "--raw", "/apis/authentication.k8s.io/v1/tokenreviews", "-f", "-", stdin=json.dumps(body)))["status"]


def start_pod(host, name):
    volume = {"name": "vault", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault", "expirationSeconds": 600, "path": "token"}}]}}
    spec = {"serviceAccountName": "robot", "terminationGracePeriodSeconds": 1, "volumes": [volume], "containers": [{
        "name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "600"], "volumeMounts": [{"name": "vault", "mountPath": "/vault"}]}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps(manifest))
    host.kubectl_ok("wait", "--for=condition=Ready", f"pod/{name}", "-n", NAMESPACE, "--timeout=30s")


def file_in_pod(host, name, path):
    return host.kubectl_ok("exec", name, "-n", NAMESPACE, "--", "cat", path)


def prepare(host):
    host.kubectl_ok("create", "namespace", NAMESPACE)
    host.kubectl_ok("create", "serviceaccount", "robot", "-n", NAMESPACE)
    start_pod(host, "worker")


def plain(host):
    token = create_token(host, "--duration=10m")
    claims = claims_of(token)
    account = host.get("serviceaccount", "robot", "-n", NAMESPACE)
    assert claims["iss"] == ISSUER and claims["aud"] == [ISSUER], claims
    assert claims["exp"] - claims["iat"] == 600, claims
    assert claims["kubernetes.io"] == {"namespace": NAMESPACE, "serviceaccount": {"name": "robot", "uid": account["metadata"]["uid"]}}, claims
    assert is_accepted(host, token)
    out = kubectl_with(host, token)("auth", "whoami")
    expect(out.stdout, r"^Username\s+system:serviceaccount:tokens:robot$", "whoami")
    expect(out.stdout, r"^Extra: authentication\.kubernetes\.io/credential-id\s+\[JTI=", "credential id")
    refused = host.kubectl("create", "token", "robot", "-n", NAMESPACE, "--duration=1m")
    expect(refused.stderr, r'TokenRequest\.authentication\.k8s\.io "" is invalid: spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes', "too short")
    assert not is_accepted(host, token[:-4] + "AAAA")


def other_audience(host):
    token = create_token(host, "--audience=vault", "--audience=billing")
    assert claims_of(token)["aud"] == ["vault", "billing"]
    assert not is_accepted(host, token)
    status = review(host, token)
    assert not status.get("authenticated") and "is invalid for the target audiences" in status["error"], status
    status = review(host, token, ["billing", "other"])
    assert status["authenticated"] and status["audiences"] == ["billing"], status
    assert status["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:robot", status
    assert review(host, "nonsense")["error"] == "invalid bearer token"


def bound_to_pod(host):
    start_pod(host, "short")
    pod = host.get("pod", "short", "-n", NAMESPACE)
    uid = pod["metadata"]["uid"]
    token = create_token(host, "--bound-object-kind=Pod", "--bound-object-name=short", f"--bound-object-uid={uid}")
    kubernetes = claims_of(token)["kubernetes.io"]
    assert kubernetes["pod"] == {"name": "short", "uid": uid} and kubernetes["node"]["name"] == "node1", kubernetes
    out = kubectl_with(host, token)("auth", "whoami").stdout
    expect(out, r"^Extra: authentication\.kubernetes\.io/node-name\s+\[node1\]$", "node")
    expect(out, r"^Extra: authentication\.kubernetes\.io/pod-name\s+\[short\]$", "pod")
    wrong = host.kubectl("create", "token", "robot", "-n", NAMESPACE, "--bound-object-kind=Pod", "--bound-object-name=short", "--bound-object-uid=other")
    expect(wrong.stderr, r'Operation cannot be fulfilled on Pod "short": the UID in the bound object reference \(other\) does not match the UID in record', "wrong uid")
    stranger = host.kubectl("create", "token", "default", "-n", NAMESPACE, "--bound-object-kind=Pod", "--bound-object-name=short")
    expect(stranger.stderr, r'cannot bind token for serviceaccount "default" to pod running with different serviceaccount name', "another account")
    own = file_in_pod(host, "short", "/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert is_accepted(host, token) and is_accepted(host, own)
    host.kubectl_ok("delete", "pod", "short", "-n", NAMESPACE)
    assert not is_accepted(host, token) and not is_accepted(host, own), "a token outlived its pod"
    start_pod(host, "short")  # another pod of that name
    assert not is_accepted(host, token), "another pod's token is accepted"
    host.kubectl_ok("delete", "pod", "short", "-n", NAMESPACE)


def bound_to_secret_and_node(host):
    host.kubectl_ok("create", "secret", "generic", "anchor", "-n", NAMESPACE)
    by_secret = create_token(host, "--bound-object-kind=Secret", "--bound-object-name=anchor")
    by_node = host.kubectl("create", "token", "robot", "-n", NAMESPACE, "--bound-object-kind=Node", "--bound-object-name=node1", env={"KUBECTL_NODE_BOUND_TOKENS": "true"})
    assert by_node.returncode == 0, by_node.stderr
    assert claims_of(by_node.stdout)["kubernetes.io"]["node"]["uid"] == host.get("node", "node1")["metadata"]["uid"]
    assert is_accepted(host, by_secret) and is_accepted(host, by_node.stdout.strip())
    host.kubectl_ok("delete", "secret", "anchor", "-n", NAMESPACE)
    assert not is_accepted(host, by_secret), "a token outlived its Secret"


def in_pods(host):
    claims = claims_of(file_in_pod(host, "worker", "/var/run/secrets/kubernetes.io/serviceaccount/token"))
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600, claims
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607, claims
    vault = claims_of(file_in_pod(host, "worker", "/vault/token"))
    assert vault["aud"] == ["vault"] and vault["exp"] - vault["iat"] == 600, vault


def published_keys(host):
    configuration = json.loads(host.kubectl_ok("get", "--raw", "/.well-known/openid-configuration"))
    assert configuration["issuer"] == ISSUER, configuration
    assert configuration["jwks_uri"] == "https://192.0.2.10:6443/openid/v1/jwks", configuration
    as_account = kubectl_with(host, create_token(host))
    keys = as_account("get", "--raw", "/openid/v1/jwks")
    assert keys.returncode == 0, keys.stderr
    assert part(create_token(host), 0)["kid"] in [key["kid"] for key in json.loads(keys.stdout)["keys"]]


def token_secret(host):
    manifest = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                "metadata": {"name": "long", "namespace": NAMESPACE, "annotations": {"kubernetes.io/service-account.name": "old"}}}
    host.kubectl_ok("create", "serviceaccount", "old", "-n", NAMESPACE)
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps(manifest))

    def data():
        return host.get("secret", "long", "-n", NAMESPACE).get("data") or {}
    wait_for(lambda: "token" in data(), 10, "the token in the Secret", 0.2)
    assert "ca.crt" in data() and base64.b64decode(data()["namespace"]).decode() == NAMESPACE
    token = base64.b64decode(data()["token"]).decode()
    assert is_accepted(host, token)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")

    def label():
        return host.get("secret", "long", "-n", NAMESPACE)["metadata"].get("labels", {}).get("kubernetes.io/legacy-token-last-used")
    wait_for(lambda: label() == today, 10, "the day of the last use", 0.2)
    expect(host.kubectl_ok("describe", "secret", "long", "-n", NAMESPACE), r"^Type:\s+kubernetes\.io/service-account-token", "describe")
    host.kubectl_ok("delete", "serviceaccount", "old", "-n", NAMESPACE)
    wait_for(lambda: host.kubectl("get", "secret", "long", "-n", NAMESPACE).returncode != 0, 10, "the Secret goes with its account", 0.2)
    assert not is_accepted(host, token)


def bootstrap_token(host):
    def secret(name, expiration):
        return json.dumps({"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token", "metadata": {"name": f"bootstrap-token-{name}", "namespace": "kube-system"},
                           "stringData": {"token-id": name, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
                                          "auth-extra-groups": "system:bootstrappers:worker", "expiration": expiration}})
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    host.kubectl_ok("create", "-f", "-", stdin=secret("abc123", later))
    token = "abc123.0123456789abcdef"
    status = review(host, token)
    assert status["user"] == {"username": "system:bootstrap:abc123", "groups": ["system:bootstrappers", "system:bootstrappers:worker", "system:authenticated"]}, status
    expect(kubectl_with(host, token)("get", "nodes").stderr, r'User "system:bootstrap:abc123" cannot list resource "nodes"', "no rights")
    assert not is_accepted(host, "abc123.0123456789abcdeg")
    wait_for(lambda: host.kubectl("get", "secret", "bootstrap-token-abc123", "-n", "kube-system").returncode != 0, 20, "the end of the token", 0.3)
    assert not is_accepted(host, token)


def rotation(host):
    before = create_token(host)
    in_pod = file_in_pod(host, "worker", "/vault/token")

    def keys():
        return [key["kid"] for key in json.loads(host.kubectl_ok("get", "--raw", "/openid/v1/jwks"))["keys"]]
    old = keys()
    result = host.skiff_command("certs", "rotate-service-account", "--data-dir", host.data)
    assert result.returncode == 0, result.stderr
    expect(result.stdout, r"^tokens of service accounts are signed with key \S+; tokens of \d+ older keys? go on$", "rotate")
    wait_for(lambda: len(keys()) == len(old) + 1, 10, "the new key is published", 0.1)
    after = create_token(host)
    assert part(after, 0)["kid"] == keys()[0] != part(before, 0)["kid"]
    assert is_accepted(host, before) and is_accepted(host, after), "an older or newer key's token is refused"
    assert review(host, in_pod, ["vault"])["authenticated"]
    # The agent asks for tokens anew at a start, the pod goes on.
    host.stop()
    host.start()
    host.wait_api()
    assert is_accepted(host, before) and is_accepted(host, after), "a restart lost a key"
    host.wait_node_ready()
    wait_for(lambda: part(file_in_pod(host, "worker", "/vault/token"), 0)["kid"] == part(after, 0)["kid"], 90, "a token by the new key in the pod", 0.5)
    for file in (host.data / "pki").glob("service-account-old-*.pub"):
        file.unlink()
    wait_for(lambda: not is_accepted(host, before), 10, "the old key is forgotten", 0.2)
    assert is_accepted(host, after)


def clean_up(host):
    host.kubectl_ok("delete", "namespace", NAMESPACE)


TESTS = [("prepare", prepare), ("a token and its claims", plain), ("another audience", other_audience), ("bound to a pod", bound_to_pod),
         ("bound to a Secret and a node", bound_to_secret_and_node), ("tokens in pods", in_pods), ("published keys", published_keys),
         ("a Secret with a token", token_secret), ("a bootstrap token", bootstrap_token), ("keys rotate with overlap", rotation), ("clean up", clean_up)]
