"""What a thief with the key of a node gets: real certificates of the cluster's own authority."""
import base64
import json
import os

from host import NODE_IP, PORT, expect, must, run

NAMESPACE = "rights"
THIEF = "stolen"  # a node that is nothing but its key
UNRELATED = "no relationship found between node 'stolen' and this object"


def make_certificate(host, file, subject, authority=None):
    """A client certificate of `authority` (the cluster's), for a new key; both files' paths."""
    authority = authority or host.data / "pki" / "ca"
    key, request, certificate, extensions = (host.folder / f"{file}.{kind}" for kind in ("key", "csr", "crt", "ext"))
    extensions.write_text("extendedKeyUsage=clientAuth\n")
    must(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
    must(["openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request])
    must(["openssl", "x509", "-req", "-in", request, "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-set_serial", "77", "-days", "1",
          "-extfile", extensions, "-out", certificate])
    return certificate, key


def certificate_kubectl(host, file, subject):
    certificate, key = make_certificate(host, file, subject)
    home = host.folder / f"home-{file}"
    home.mkdir(exist_ok=True)
    binary = list(host.kubectls.values())[-1]

    def call(*arguments, stdin=None):
        return run(host.command([binary, "--kubeconfig", "/dev/null", "--server", f"https://{NODE_IP}:{PORT}", "--certificate-authority", host.data / "pki" / "ca.crt",
                                 "--client-certificate", certificate, "--client-key", key, *arguments]), input=stdin, timeout=60, env={**os.environ, "HOME": str(home)})
    return call


def thief(host):
    if not hasattr(host, "thief_kubectl"):
        host.thief_kubectl = certificate_kubectl(host, "thief", f"/O=system:nodes/CN=system:node:{THIEF}")
    return host.thief_kubectl


def curl(host, path, *arguments):
    certificate, key = host.folder / "thief.crt", host.folder / "thief.key"
    return run(host.command(["curl", "-sS", "--max-time", "10", "--cacert", host.data / "pki" / "ca.crt", "--cert", certificate, "--key", key,
                             *arguments, f"https://{NODE_IP}:{PORT}{path}"])).stdout


def refused(result, pattern, where):
    assert result.returncode != 0, f"{where} was allowed: {result.stdout}"
    expect(result.stderr, pattern, where)


def refused_patch(host, path, patch, pattern):
    """Without the GET that kubectl sends first, which is refused too."""
    answer = json.loads(curl(host, path, "-X", "PATCH", "-H", "Content-Type: application/merge-patch+json", "-d", json.dumps(patch)))
    assert answer.get("code") == 403, f"{path}: {answer}"
    expect(answer["message"], pattern, path)


def pod_manifest(name, node, secret, **metadata):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
                       "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
                                "containers": [{"name": "main", "image": "skiff.test/web:1", "envFrom": [{"secretRef": {"name": secret}}]}]}})


def prepare(host):
    host.kubectl_ok("create", "namespace", NAMESPACE)
    for secret in ("own", "foreign"):
        host.kubectl_ok("create", "secret", "generic", secret, "-n", NAMESPACE, f"--from-literal=word={secret}")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": THIEF, "labels": {"kubernetes.io/hostname": THIEF}}}
    result = thief(host)("create", "-f", "-", stdin=json.dumps(node))
    assert result.returncode == 0, f"a node registers itself: {result.stderr}"
    host.kubectl_ok("create", "-f", "-", stdin=pod_manifest("victim", "node1", "foreign"))
    host.kubectl_ok("create", "-f", "-", stdin=pod_manifest("bait", THIEF, "own"))
    host.kubectl_ok("wait", "-n", NAMESPACE, "pod/victim", "--for=condition=Ready", "--timeout=60s")


def reads(host):
    kubectl = thief(host)
    out = kubectl("get", "secret", "own", "-n", NAMESPACE, "-o", "jsonpath={.data.word}")
    assert base64.b64decode(out.stdout) == b"own", out
    assert kubectl("get", "pods", "-A", "--field-selector", f"spec.nodeName={THIEF}", "-o", "name").stdout == "pod/bait\n"
    refused(kubectl("get", "secret", "foreign", "-n", NAMESPACE),
            r'^Error from server \(Forbidden\): secrets "foreign" is forbidden: User "system:node:stolen" cannot get resource "secrets" in API group "" in the '
            rf'namespace "rights": {UNRELATED}$', "a secret of another node")
    refused(kubectl("get", "secrets", "-n", NAMESPACE), r"No Object name found$", "all secrets of a namespace")
    refused(kubectl("get", "secrets", "-A"), r"can only read namespaced object of this type$", "all secrets")
    refused(kubectl("get", "pod", "victim", "-n", NAMESPACE), UNRELATED, "a pod of another node")
    refused(kubectl("get", "pods", "-A"), r"can only list/watch pods with spec\.nodeName field selector$", "all pods")
    refused(kubectl("get", "pods", "-A", "--field-selector", "spec.nodeName=node1"), r"with spec\.nodeName field selector$", "pods of another node")
    refused(kubectl("get", "nodes"), r"cannot read all nodes, only its own Node object$", "all nodes")
    refused(kubectl("get", "node", "node1"), r"cannot read 'node1', only its own Node object$", "another node")
    refused(kubectl("get", "lease", "node1", "-n", "kube-node-lease"), r"can only access node lease with the same name as the requesting node$", "a lease")
    refused(kubectl("get", "--raw", "/metrics"), r'User "system:node:stolen" cannot get path "/metrics"', "metrics")
    for kind in ("roles", "clusterrolebindings", "namespaces", "deployments"):
        refused(kubectl("get", kind, "-A"), rf"cannot list resource \"{kind}\"", kind)


def selectors(host):
    """A comma in the value of a selector: selects all, looks like the own node."""
    for path in ("/api/v1/pods?fieldSelector=metadata.name!%3Dx%5C,spec.nodeName%3Dstolen",
                 f"/api/v1/namespaces/{NAMESPACE}/secrets?fieldSelector=metadata.name!%3Dx%5C,metadata.name%3Down"):
        answer = json.loads(curl(host, path))
        assert answer["kind"] == "Status" and answer["code"] == 403, answer


def streams(host):
    kubectl = thief(host)
    for command in (("logs", "bait"), ("exec", "bait", "--", "id"), ("logs", "victim"), ("exec", "victim", "--", "id")):
        refused(kubectl("-n", NAMESPACE, *command), r"[Ff]orbidden", " ".join(command))


def writes(host):
    kubectl = thief(host)
    merge = ("--type=merge", "-p")
    refused_patch(host, "/api/v1/nodes/node1", {"metadata": {"labels": {"a": "b"}}}, r'node "stolen" is not allowed to modify node "node1"$')
    refused(kubectl("label", "--local=false", "node", THIEF, "node-restriction.kubernetes.io/vault=true"), r"is not allowed to modify labels: node-restriction\.kubernetes\.io/vault$", "label")
    refused(kubectl("patch", "node", THIEF, *merge, '{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}'),
            r"is not allowed to modify labels: node-role\.kubernetes\.io/control-plane$", "role")
    refused(kubectl("patch", "node", THIEF, *merge, '{"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}}'), r'node "stolen" is not allowed to modify taints$', "taints")
    refused(kubectl("patch", "node", THIEF, *merge, '{"metadata":{"annotations":{"skiff.dev/public-key-sha256":"00"}}}'),
            r"is not allowed to modify the annotation skiff\.dev/public-key-sha256$", "the key")
    refused(kubectl("delete", "node", "node1"), r'cannot delete resource "nodes"', "delete a node")
    refused(kubectl("delete", "pod", "victim", "-n", NAMESPACE), r'node "stolen" can only delete pods with spec\.nodeName set to itself$', "delete a pod")
    refused_patch(host, f"/api/v1/namespaces/{NAMESPACE}/pods/victim/status", {"status": {"phase": "Failed"}}, r"can only update pod status for pods with spec\.nodeName set to itself$")
    refused_patch(host, f"/api/v1/namespaces/{NAMESPACE}/pods/bait/status", {"metadata": {"labels": {"app": "bank"}}}, r"cannot update labels through pod status$")
    lease = json.dumps({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "node1", "namespace": "kube-node-lease"}})
    refused(kubectl("create", "-f", "-", stdin=lease), r"can only access node lease with the same name as the requesting node$", "a lease")
    refused(kubectl("create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", f"--user=system:node:{THIEF}"), r'cannot create resource "clusterrolebindings"', "binding")
    assert host.get("pod", "victim", "-n", NAMESPACE)["status"]["phase"] == "Running"


def mirror_pods(host):
    kubectl = thief(host)
    refused(kubectl("create", "-f", "-", stdin=pod_manifest("plain", THIEF, "foreign")), r'pod does not have "kubernetes\.io/config\.mirror" annotation, '
            r'node "stolen" can only create mirror pods$', "a pod")
    uid = host.get("node", THIEF)["metadata"]["uid"]
    metadata = {"annotations": {"kubernetes.io/config.mirror": "x"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": THIEF, "uid": uid, "controller": True}]}
    refused(kubectl("create", "-f", "-", stdin=pod_manifest("mirror", THIEF, "foreign", **metadata)), r"a mirror pod may not reference secrets$", "a mirror pod")
    refused(kubectl("create", "-f", "-", stdin=pod_manifest("mirror", "node1", "foreign", **metadata)), r"[Ff]orbidden", "a mirror pod elsewhere")
    # Made by an administrator, it gives its node nothing all the same.
    manifest = json.loads(pod_manifest("mirror", THIEF, "foreign", **metadata))
    manifest["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "kube-root-ca.crt"}}]
    refused(kubectl("create", "-f", "-", stdin=json.dumps(manifest)), r'node "stolen" can not create pods that reference configmaps$', "a config map")


def tokens(host):
    kubectl = thief(host)
    bait, victim = (host.get("pod", name, "-n", NAMESPACE)["metadata"]["uid"] for name in ("bait", "victim"))
    result = kubectl("create", "token", "default", "-n", NAMESPACE, "--bound-object-kind=Pod", "--bound-object-name=bait", f"--bound-object-uid={bait}")
    assert result.returncode == 0, result.stderr

    def ask(*arguments, account="default", namespace=NAMESPACE):
        return kubectl("create", "token", account, "-n", namespace, *arguments)
    pod = ("--bound-object-kind=Pod",)
    refused(ask(), r"node requested token not bound to a pod$", "unbound")
    refused(ask(*pod, "--bound-object-name=victim", f"--bound-object-uid={victim}"), r"bound to a pod scheduled on a different node$", "another node's pod")
    refused(ask(*pod, "--bound-object-name=bait", f"--bound-object-uid={victim}"), r"does not match the UID in record", "another uid")
    refused(ask(*pod, "--bound-object-name=bait", f"--bound-object-uid={bait}", "--audience=vault"),
            r'audience "vault" not found in pod spec volume, system:node:stolen is not authorized to request tokens for this audience$', "audience")
    refused(ask(account="default", namespace="kube-system"), UNRELATED, "another namespace")


def signing_requests(host):
    """For its own name at most, where there are signing requests."""
    if "certificatesigningrequests" not in host.kubectl_ok("api-resources", "-o", "name"):
        return
    for signer in ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"):
        make_certificate(host, "other", "/O=system:nodes/CN=system:node:node1")
        request = base64.b64encode((host.folder / "other.csr").read_bytes()).decode()
        usage = "server auth" if "serving" in signer else "client auth"
        manifest = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "other"},
                    "spec": {"signerName": signer, "request": request, "usages": ["digital signature", usage]}}
        refused(thief(host)("create", "-f", "-", stdin=json.dumps(manifest)), r"can only create a node CSR with CN=system:node:stolen$", signer)


def smuggling(host):
    kubectl = thief(host)
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/foreign"
    refused(kubectl("get", "nodes", "--as=system:node:node1"), r"[Ff]orbidden", "as another node")
    refused(kubectl("get", "nodes", "--as=admin", "--as-group=system:masters"), r"[Ff]orbidden", "as a master")
    for headers in (("X-Remote-User: admin", "X-Remote-Group: system:masters"), ("Impersonate-User: admin", "impersonate-group: system:masters"),
                    ("X-Forwarded-User: admin",), ("Authorization: Bearer x",)):
        answer = json.loads(curl(host, path, *[part for header in headers for part in ("-H", header)]))
        assert answer["code"] == 403 and "system:node:stolen" in answer["message"], f"{headers}: {answer}"


def other_certificates(host):
    """Near the name of a node, without a name, and of an authority that only says it is ours."""
    for number, subject in enumerate(("/CN=system:node:node1", "/O=system:nodes/CN=node1", "/O=system:node/CN=system:node:node1", "/O=System:Nodes/CN=system:node:node1")):
        kubectl = certificate_kubectl(host, f"near{number}", subject)
        refused(kubectl("get", "secret", "foreign", "-n", NAMESPACE), r'^Error from server \(Forbidden\)', subject)
    kubectl = certificate_kubectl(host, "nameless", "/O=system:masters")
    refused(kubectl("get", "--raw", "/api/v1/secrets"), r'User "system:anonymous" cannot list resource "secrets"', "no common name")
    false_ca = host.folder / "false"
    subject = must(["openssl", "x509", "-in", host.data / "pki" / "ca.crt", "-noout", "-subject", "-nameopt", "compat"]).strip().split("subject=")[1].strip()
    must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{false_ca}.key", "-out", f"{false_ca}.crt",
          "-days", "1", "-subj", subject if subject.startswith("/") else "/" + subject.replace(", ", "/")])
    certificate, key = make_certificate(host, "forged", "/O=system:masters/CN=admin", authority=false_ca)
    result = run(host.command(["curl", "-sS", "-k", "--max-time", "10", "--cert", certificate, "--key", key, f"https://{NODE_IP}:{PORT}/api/v1/secrets"]))
    answer = json.loads(result.stdout)
    assert answer["code"] == 401 and answer["message"] == "Unauthorized", f"a forged certificate: {answer}"


def anonymous(host):
    result = run(host.command(["curl", "-sS", "-k", "--max-time", "10", f"https://{NODE_IP}:{PORT}/api/v1/secrets"]))
    answer = json.loads(result.stdout)
    assert answer["code"] == 403, answer
    expect(answer["message"], r'^secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" at the cluster scope$', "anonymous")


def right_goes_with_the_pod(host):
    host.kubectl_ok("delete", "pod", "bait", "-n", NAMESPACE, "--force", "--grace-period=0")
    refused(thief(host)("get", "secret", "own", "-n", NAMESPACE), UNRELATED, "the secret of a pod that is gone")


def clean_up(host):
    host.kubectl_ok("delete", "node", THIEF)
    host.kubectl_ok("delete", "namespace", NAMESPACE)


TESTS = [("prepare", prepare), ("a node reads what its pods name", reads), ("selectors show no more", selectors), ("no logs and no exec", streams), ("a node writes itself", writes),
         ("mirror pods", mirror_pods), ("tokens for its own pods", tokens), ("signing requests for its own name", signing_requests), ("headers", smuggling),
         ("other certificates", other_certificates), ("nobody in particular", anonymous), ("the right goes with the pod", right_goes_with_the_pod), ("clean up", clean_up)]
