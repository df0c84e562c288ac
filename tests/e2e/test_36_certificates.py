"""Signing requests through every kubectl, and another CA for a running cluster."""
import base64
import json
import subprocess

from host import expect, run, wait_for

SIGNER = "kubernetes.io/kube-apiserver-client"
KUBELET_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"


def openssl(*arguments, stdin=None):
    result = run(["openssl", *map(str, arguments)], input=stdin)
    assert result.returncode == 0, f"openssl {arguments}: {result.stderr}"
    return result.stdout


def request(host, name, subject):
    """A key in a file and the text of a request."""
    key = host.folder / f"{name}.key"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    return key, openssl("req", "-new", "-key", key, "-subj", subject)


def ask(host, name, subject, signer=SIGNER, usages=("client auth",), version=None, more=""):
    key, pem = request(host, name, subject)
    text = base64.b64encode(pem.encode()).decode()
    host.kubectl_ok("create", "-f", "-", version=version, stdin=f"""
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: {name}}}
spec:
  request: {text}
  signerName: {signer}
  usages: {json.dumps(list(usages))}
{more}""")
    return key


def certificate_of(host, name):
    text = host.get("csr", name).get("status", {}).get("certificate")
    return base64.b64decode(text).decode() if text else None


def kubeconfig_of(host, name, key, certificate):
    config = json.loads(host.kubectl_ok("config", "view", "--raw", "-o", "json"))
    user = {"client-certificate-data": base64.b64encode(certificate.encode()).decode(),
            "client-key-data": base64.b64encode(key.read_bytes()).decode()}
    config["users"] = [{"name": each["name"], "user": user} for each in config["users"]]
    path = host.folder / f"{name}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def kubectl_with(host, path, *arguments):
    return run(host.command([list(host.kubectls.values())[-1], "--kubeconfig", path, *arguments]), timeout=60)


def approve_and_use(host):
    for version in host.kubectls:
        name = f"carol-{version.replace('.', '-')}"
        key = ask(host, name, f"/CN={name}/O=dev", version=version, more="  expirationSeconds: 3600")
        expect(host.kubectl_ok("get", "csr", name, version=version), rf"^{name}\s+\S+\s+{SIGNER}\s+system:admin\s+60m\s+Pending$", f"{version} pending")
        host.kubectl_ok("certificate", "approve", name, version=version)
        wait_for(lambda: certificate_of(host, name), 10, f"{version} certificate")
        expect(host.kubectl_ok("get", "csr", name, version=version), r"Approved,Issued$", f"{version} issued")
        expect(host.kubectl_ok("describe", "csr", name, version=version), r"Status:\s+Approved,Issued", f"{version} describe")
        path = kubeconfig_of(host, name, key, certificate_of(host, name))
        result = kubectl_with(host, path, "get", "nodes")
        expect(result.stderr, rf'User "{name}" cannot list resource "nodes"', f"{version} user")


def deny(host):
    for version in host.kubectls:
        name = f"eve-{version.replace('.', '-')}"
        ask(host, name, f"/CN={name}", version=version)
        host.kubectl_ok("certificate", "deny", name, version=version)
        expect(host.kubectl_ok("get", "csr", name, version=version), r"Denied$", f"{version} denied")
        assert certificate_of(host, name) is None


def refused(host):
    key, pem = request(host, "masters", "/CN=eve/O=system:masters")
    text = base64.b64encode(pem.encode()).decode()
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "masters"},
            "spec": {"request": text, "signerName": SIGNER, "usages": ["client auth"]}}
    result = host.kubectl("create", "-f", "-", stdin=json.dumps(body))
    expect(result.stderr, r"use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed", "masters")
    body["spec"]["request"] = base64.b64encode(b"nothing").decode()
    result = host.kubectl("create", "-f", "-", stdin=json.dumps(body))
    expect(result.stderr, r"PEM block type must be CERTIFICATE REQUEST", "no request")


def kubelet_request(host):
    ask(host, "kubelet", "/O=system:nodes/CN=system:node:other", signer=KUBELET_SIGNER, usages=("digital signature", "client auth"))
    wait_for(lambda: certificate_of(host, "kubelet"), 10, "a kubelet's certificate, for an administrator may ask for any node")
    expect(host.kubectl_ok("describe", "csr", "kubelet"), r"Approved,Issued", "kubelet")


def certs(host, *arguments):
    return host.skiff_command("certs", *arguments, *host.folder_flags())


def list_certificates(host):
    out = certs(host, "list").stdout
    expect(out, r"^FILE\s+SUBJECT\s+SIGNED BY\s+EXPIRES\s+LEFT\s+SHA256$", "head")
    expect(out, r"^ca\.crt\s+skiff-ca\s+skiff-ca\s+20\d\d-\S+\s+\d+d\s+[0-9a-f]{64}$", "ca")
    expect(out, r"^server\.crt\s+kube-apiserver\s+skiff-ca\s+\S+\s+36[45]d\s+", "server")
    rows = json.loads(certs(host, "list", "-o", "json").stdout)
    assert {row["file"] for row in rows} >= {"ca.crt", "server.crt", "admin.crt"}, rows


def count(text):
    return text.count("BEGIN CERTIFICATE")


def root_ca(host):
    return host.get("configmap", "kube-root-ca.crt", "-n", "default")["data"]["ca.crt"]


def token_secret_ca(host):
    text = host.get("secret", "robot-token", "-n", "default").get("data", {}).get("ca.crt", "")
    return base64.b64decode(text).decode()


def make_token_secret(host):
    host.kubectl_ok("create", "-f", "-", stdin="""
apiVersion: v1
kind: Secret
metadata: {name: robot-token, namespace: default, annotations: {kubernetes.io/service-account.name: default}}
type: kubernetes.io/service-account-token
""")
    wait_for(lambda: count(token_secret_ca(host)) == 1, 10, "the CA in a Secret with a token")


def verifies(host, ca_file):
    """Whether the server's certificate is good for who trusts one CA alone."""
    out = run(host.command(["openssl", "s_client", "-connect", "127.0.0.1:6443", "-CAfile", str(ca_file), "-verify_return_error"]), input="").stdout
    return "Verify return code: 0" in out


def watch_with_old(host):
    watching = subprocess.Popen(host.command([list(host.kubectls.values())[-1], "--kubeconfig", host.folder / "old.kubeconfig", "get", "configmaps", "-n", "default", "-w", "-o", "name"]),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watching.stdout.readline()
    return watching


def rotate(host):
    old = host.folder / "old.kubeconfig"
    old.write_bytes(host.kubeconfig.read_bytes())
    old_ca = (host.data / "pki/ca.crt").read_text()
    make_token_secret(host)
    watching = watch_with_old(host)
    try:
        result = certs(host, "rotate-ca")
        assert result.returncode == 0, result.stderr
        expect(result.stdout, r"^skiff-ca-[0-9a-f]{8} signs from now on; the CA before it is trusted until 20\d\d-", "rotated")
        served = host.folder / "served.crt"
        served.write_text((host.data / "pki/ca.crt").read_text())
        wait_for(lambda: verifies(host, served), 10, "a server that has a certificate of the new CA")
        host.kubectl_ok("create", "configmap", "after-the-roll")
        line = watching.stdout.readline()
        while line and "after-the-roll" not in line:
            line = watching.stdout.readline()
        assert "after-the-roll" in line, f"the watch ended: {watching.stderr.read()}"
    finally:
        watching.kill()
        watching.wait()
    host.kubectl_ok("delete", "configmap", "after-the-roll")
    wait_for(lambda: count(root_ca(host)) == 2, 30, "both CAs in kube-root-ca.crt")
    wait_for(lambda: count(token_secret_ca(host)) == 2, 30, "both CAs in a Secret with a token")
    # Who knows only the old CA and has a certificate of it goes on.
    assert kubectl_with(host, old, "get", "nodes").returncode == 0
    served = host.folder / "old-ca.crt"
    served.write_text(old_ca)
    assert verifies(host, served), "who trusts only the old CA is lost"
    config = json.loads(host.kubectl_ok("config", "view", "--raw", "-o", "json"))
    assert count(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()) == 2
    expect(certs(host, "list").stdout, r"^ca-old\.crt\s+skiff-ca\s", "the old one is listed")
    again = certs(host, "rotate-ca")
    assert again.returncode == 1
    expect(again.stderr, r"still changing from one CA to the next", "a second roll")


def restart_between(host):
    host.stop()
    host.start()
    host.wait_api()
    assert count(root_ca(host)) == 2
    assert kubectl_with(host, host.folder / "old.kubeconfig", "get", "nodes").returncode == 0


def finish(host):
    early = certs(host, "rotate-ca", "finish")
    assert early.returncode == 1
    expect(early.stderr, r"may be in use until 20\d\d-.*finish-now ends it now", "too early")
    watching = watch_with_old(host)
    result = certs(host, "rotate-ca", "finish-now")
    assert result.returncode == 0, result.stderr
    expect(result.stdout, r"is the only CA that is trusted now; connections with certificates of another one end", "finished")
    # Who came by the old CA before is let go, too.
    watching.wait(timeout=10)
    wait_for(lambda: count(root_ca(host)) == 1, 30, "one CA in kube-root-ca.crt")
    wait_for(lambda: count(token_secret_ca(host)) == 1, 30, "one CA in a Secret with a token")
    old = kubectl_with(host, host.folder / "old.kubeconfig", "get", "nodes")
    assert old.returncode != 0, "a certificate of the old CA is still good"
    host.kubectl_ok("get", "nodes")


def clean_up(host):
    host.kubectl_ok("delete", "csr", "--all")
    host.kubectl_ok("delete", "secret", "robot-token", "-n", "default")


TESTS = [("approve, sign and use", approve_and_use), ("deny", deny), ("what is refused", refused), ("a kubelet's request", kubelet_request),
         ("certs list", list_certificates), ("rotate-ca goes on for everybody", rotate), ("a restart between two CAs", restart_between),
         ("the old CA ends", finish), ("clean up", clean_up)]
