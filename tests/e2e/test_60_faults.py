"""What goes wrong around skiff and what clients send by mistake: a sentence in the right place, and nothing lost.

Nodes that must be broken are hosts of their own; they end with their case.
"""
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess

from host import NODE_IP, PORT, Host, expect
from machine import ENVIRONMENT, must, run, wait_for

IMAGE = "skiff.test/web:1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@contextlib.contextmanager
def broken_host(host, name, prepare=None, **options):
    """A host beside the shared one; `prepare(other)` acts before skiff starts."""
    other = Host(host.skiff, name=name, **options)
    try:
        other.create()
        if prepare:
            prepare(other)
        other.start()
        other.wait_api()
        yield other
    except AssertionError as error:
        raise AssertionError(f"{error}\n--- log of {name}:\n{other.log_tail()}") from error
    finally:
        left = other.destroy()
    assert not left, left


def run_skiff(host, *arguments, environment=None, seconds=15):
    """`skiff run` that is expected to end by itself."""
    return run(host.command([host.skiff, "run", *arguments]), timeout=seconds, env={**ENVIRONMENT, **(environment or {})})


def one_line(result, code, pattern, where):
    lines = [line for line in result.stderr.splitlines() if line]
    assert result.returncode == code, f"{where}: exit code {result.returncode}, not {code}: {result.stderr}"
    expect(result.stderr, pattern, where)
    assert len(lines) == 1, f"{where}: {len(lines)} lines, not one:\n{result.stderr}"


# --- what clients send

def request(host, method, path, body=b"", content_type="application/json", query=""):
    """Status code, headers in one text, and the body, of a request with the admin's certificate."""
    pki = host.data / "pki"
    result = subprocess.run(host.command([
        "curl", "-sS", "-i", "--max-time", "20", "-X", method, "--cacert", pki / "ca.crt", "--cert", pki / "admin.crt", "--key", pki / "admin.key",
        "-H", f"Content-Type: {content_type}", "-H", "Expect:", "--data-binary", "@-", f"https://{NODE_IP}:{PORT}{path}{query}"]),
        input=body if isinstance(body, bytes) else body.encode(), capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    head, _, text = result.stdout.decode(errors="replace").partition("\r\n\r\n")
    return int(head.split()[1]), head, text


def config_map(name="sent", **members):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **members})


def status_row(name, code, reason, pattern, *arguments, **options):
    def case(host):
        got, head, text = request(host, *arguments, **options)
        assert got == code, f"{got}, not {code}: {text}"
        status = json.loads(text)
        assert status["kind"] == "Status" and status["status"] == "Failure" and status["code"] == code, text
        assert status.get("reason", "") == reason, f"reason {status.get('reason')}, not {reason}: {text}"
        expect(status["message"], pattern, name)
    return (name, case)


BAD_REQUESTS = [
    status_row("malformed JSON", 400, "BadRequest", r"must be of type ConfigMap\): invalid JSON at offset 21", "POST", CONFIG_MAPS, '{"apiVersion": "v1", '),
    status_row("malformed YAML", 400, "BadRequest", r"must be of type ConfigMap\): invalid YAML at line 2", "POST", CONFIG_MAPS, "a: [1, 2\nb: 3\n", content_type="application/yaml"),
    status_row("malformed protobuf", 400, "BadRequest", r"", "POST", CONFIG_MAPS, b"k8s\x00\x0a\xff\xff\xff\xff\xff", content_type="application/vnd.kubernetes.protobuf"),
    status_row("protobuf without its envelope", 400, "BadRequest", r"", "POST", CONFIG_MAPS, b"\x0a\x02v1", content_type="application/vnd.kubernetes.protobuf"),
    status_row("media type", 415, "UnsupportedMediaType", r"media type|not in a supported format", "POST", CONFIG_MAPS, "<a/>", content_type="text/xml"),
    status_row("wrong type", 400, "BadRequest", r"data|cannot unmarshal", "POST", CONFIG_MAPS, config_map(data=[1])),
    status_row("kind of another path", 400, "BadRequest", r"does not match the expected|ConfigMap", "POST", CONFIG_MAPS, '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}'),
    status_row("unknown field, strict", 400, "BadRequest", r'strict decoding error: unknown field "extra"', "POST", CONFIG_MAPS, config_map(extra=1), query="?fieldValidation=Strict"),
    status_row("repeated field, strict", 400, "BadRequest", r'strict decoding error: duplicate field "data"', "POST", CONFIG_MAPS, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{},"data":{}}', query="?fieldValidation=Strict"),
    status_row("field validation of no such kind", 422, "Invalid", r"fieldValidation", "POST", CONFIG_MAPS, config_map(), query="?fieldValidation=Sometimes"),
    status_row("dry run of no such kind", 422, "Invalid", r"dryRun", "POST", CONFIG_MAPS, config_map(), query="?dryRun=Some"),
    status_row("bad selector", 400, "BadRequest", r"selector|parse", "GET", CONFIG_MAPS, query="?labelSelector=a%20in%20%28"),
    status_row("bad continue", 400, "BadRequest", r"continue", "GET", CONFIG_MAPS, query="?limit=1&continue=%21%21"),
    status_row("unknown path", 404, "NotFound", r"the server could not find the requested resource", "GET", "/apis/none.example/v1/things"),
    status_row("verb that is not there", 405, "MethodNotAllowed", r'patch is not supported on resources of kind "pods"', "PATCH", "/api/v1/namespaces/default/pods/x/log", "{}", content_type="application/merge-patch+json"),
    status_row("name in body and path", 400, "BadRequest", r"the name of the object \(a\) does not match the name on the URL \(b\)", "PUT", CONFIG_MAPS + "/b", config_map("a")),
    status_row("body over the limit", 413, "RequestEntityTooLarge", r"[Rr]equest entity too large|limit is 3145728", "POST", CONFIG_MAPS, config_map(data={"k": "x" * (4 << 20)})),
]


def warned_fields(host):
    code, head, text = request(host, "POST", CONFIG_MAPS, config_map("warned", extra=1))
    assert code == 201, text
    expect(head, r'(?i)^warning: 299 - "unknown field \\"extra\\""', "headers")
    code, head, text = request(host, "POST", CONFIG_MAPS, config_map("ignored", extra=1), query="?fieldValidation=Ignore")
    assert code == 201 and "Warning" not in head, head
    for name in ("warned", "ignored"):
        assert request(host, "DELETE", f"{CONFIG_MAPS}/{name}")[0] == 200


def field_causes(host):
    spec = {"containers": [{"name": "Main", "image": "x", "ports": [{"containerPort": 70000}]}], "restartPolicy": "Maybe"}
    body = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name"}, "spec": spec})
    code, _, text = request(host, "POST", "/api/v1/namespaces/default/pods", body)
    status = json.loads(text)
    assert code == 422 and status["reason"] == "Invalid", text
    causes = {cause["field"]: (cause["reason"], cause["message"]) for cause in status["details"]["causes"]}
    assert causes["metadata.name"][0] == "FieldValueInvalid" and "RFC 1123 subdomain" in causes["metadata.name"][1], causes
    assert causes["spec.containers[0].name"][0] == "FieldValueInvalid" and "RFC 1123 label" in causes["spec.containers[0].name"][1], causes
    assert causes["spec.containers[0].ports[0].containerPort"][1] == "Invalid value: 70000: must be between 1 and 65535, inclusive", causes
    assert causes["spec.restartPolicy"] == ("FieldValueNotSupported", 'Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"'), causes


# --- what the host lacks

def bad_flags(host):
    one_line(run_skiff(host, "--no-such-flag"), 2, r"--no-such-flag", "unknown flag")
    one_line(run_skiff(host, "--https-port", "99999"), 2, r"https-port.*99999.*is not a port", "bad port")
    one_line(run_skiff(host, "--cluster-cidr", "10.42.0.0"), 2, r"cluster-cidr.*10\.42\.0\.0", "bad network")
    one_line(run_skiff(host, "--role", "captain"), 2, r"captain.*is no role", "bad role")
    one_line(run_skiff(host, environment={"SKIFF_HTTPS_PORT": "many"}), 2, r"(SKIFF_HTTPS_PORT|https-port).*many", "bad variable")
    result = run(host.command([host.skiff, "sail"]))
    one_line(result, 2, r"sail", "unknown command")


def bad_config_files(host):
    path = host.folder / "config.yaml"
    for text, pattern in (("https-prot: 6443\n", r"config\.yaml.*https-prot"), ("https-port: [1\n", r"config\.yaml"), ("https-port: many\n", r"config\.yaml.*https-port.*many")):
        path.write_text(text)
        one_line(run_skiff(host, "--config", path), 2, pattern, text.strip())
    one_line(run_skiff(host, "--config", "/none.yaml"), 1, r"/none\.yaml", "no file")


def own_folders(host, name):
    return ["--data-dir", host.folder / f"{name}-data", "--runtime-dir", host.folder / f"{name}-run", "--node-name", "node2", "--node-ip", NODE_IP, "--cgroup-parent", "skiff-faults"]


def port_in_use(host):
    result = run_skiff(host, *own_folders(host, "port"))
    assert result.returncode == 1, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    expect(last, r"6443.*(in use|skiff)", "port in use")


def folder_in_use(host):
    result = run_skiff(host, "--data-dir", host.data, "--runtime-dir", host.folder / "other-run", "--https-port", "7443", "--node-name", "node2", "--node-ip", NODE_IP, "--cgroup-parent", "skiff-faults")
    assert result.returncode == 1, result.stderr
    expect(result.stderr.strip().splitlines()[-1], rf"{host.data}.*(in use|held|{host.process.pid})", "folder in use")


def missing_runc(host):
    result = run_skiff(host, *own_folders(host, "runc"), "--https-port", "7443", "--runtime", "/none/runc")
    assert result.returncode == 1, f"{result.returncode}: {result.stderr}"
    expect(result.stderr.strip().splitlines()[-1], r"/none/runc.*(install|--runtime)", "missing runc")
    result = host.skiff_command("check", "--runtime", "/none/runc")
    assert result.returncode == 1, result.stdout
    expect(result.stdout + result.stderr, r"/none/runc", "skiff check")


# --- the disk

def full_disk(host):
    def small_disk(other):
        other.data.mkdir(parents=True)
        must(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(other.data)])
    with broken_host(host, "full", small_disk) as other:
        other.wait_node_ready()
        other.import_new_image(IMAGE)
        spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", "while true; do echo up; sleep 0.2; done"]}]}
        other.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": spec}))
        other.kubectl_ok("create", "configmap", "before", "--from-literal=k=v")
        other.kubectl_ok("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
        filler = other.data / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        body = config_map("large", data={"k": "x" * 500_000})

        def refused():
            code, _, text = request(other, "POST", CONFIG_MAPS + "?fieldManager=e2e", body.replace("large", f"large{os.urandom(3).hex()}"))
            return code == 503 and json.loads(text)
        status = wait_for(refused, 20, "a 503")
        assert status["reason"] == "ServiceUnavailable", status
        expect(status["message"], r"the store cannot write now: .*(full|space)", "a write to a full disk")
        result = other.kubectl("create", "configmap", "during", f"--from-literal=k={'x' * 100_000}")
        assert result.returncode == 1
        expect(result.stderr, r"the store cannot write now", "kubectl create")
        assert other.kubectl_ok("get", "configmap", "before", "-o", "jsonpath={.data.k}") == "v"
        assert other.process.poll() is None
        other.kubectl_ok("exec", "box", "--", "true", timeout=20)
        assert container_restarts(other, "box") == 0
        filler.unlink()
        wait_for(lambda: other.kubectl("create", "configmap", "after", "--from-literal=k=v").returncode == 0, 15, "a write after the disk has room again", 0.5)
        other.kubectl_ok("get", "configmap", "before", "after")
        assert other.kubectl("get", "configmap", "during").returncode == 1, "a refused write came back"
        assert container_restarts(other, "box") == 0
        other.kubectl_ok("delete", "pod", "box", "--timeout=30s")
        # The mount goes with the folder, after skiff.
        other.stop()
        other.reset()
        must(["umount", str(other.data)])


def container_restarts(host, pod):
    return host.get("pod", pod)["status"]["containerStatuses"][0]["restartCount"]


def database(host):
    return host.data / "state" / "state.db"


def altered_record(host):
    with broken_host(host, "altered") as other:
        for name in ("kept", "altered"):
            other.kubectl_ok("create", "configmap", name, "--from-literal=k=value")
        other.stop()
        with contextlib.closing(sqlite3.connect(database(other))) as db:
            changed = db.execute("UPDATE objects SET record = CAST(replace(CAST(record AS TEXT), 'value', 'valuf') AS BLOB) WHERE CAST(key AS TEXT) LIKE '%configmaps/default/altered'").rowcount
            db.commit()
        assert changed == 1, changed
        other.start()
        other.wait_api()
        expect(other.log.read_text(), r"configmaps/default/altered", "log")
        other.kubectl_ok("get", "configmap", "kept")
        result = other.kubectl("get", "configmap", "altered")
        expect(result.stderr, r"NotFound", "the altered record")
        # Set aside with the next durable write, and not lost.
        other.kubectl_ok("create", "configmap", "next", "--from-literal=k=v")
        other.stop()
        with contextlib.closing(sqlite3.connect(database(other))) as db:
            assert db.execute("SELECT count(*) FROM damaged").fetchone()[0] == 1


def torn_page(host):
    with broken_host(host, "torn") as other:
        for number in range(40):
            other.kubectl_ok("create", "configmap", f"cm{number}", f"--from-literal=k={'v' * 1500}")
        other.stop()
        with contextlib.closing(sqlite3.connect(database(other))) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            page_bytes = db.execute("PRAGMA page_size").fetchone()[0]
            pages = db.execute("PRAGMA page_count").fetchone()[0]
        with open(database(other), "r+b") as file:
            file.seek((pages - 3) * page_bytes)
            file.write(b"\xff" * page_bytes)
        other.start()
        other.wait_api()
        assert (database(other).parent / "state.db.damaged").exists(), other.log_tail()
        kept = [item for item in other.get("cm")["items"] if item["metadata"]["name"].startswith("cm")]
        assert len(kept) >= 30, len(kept)
        other.kubectl_ok("create", "configmap", "next", "--from-literal=k=v")
        other.stop(signal.SIGKILL)
        other.start()
        other.wait_api()
        other.kubectl_ok("get", "configmap", "next")


def no_database(host):
    with broken_host(host, "nodb") as other:
        other.stop()
        database(other).write_bytes(os.urandom(8192))
        for suffix in ("-wal", "-shm"):
            pathlib.Path(str(database(other)) + suffix).unlink(missing_ok=True)
        result = run_skiff(other, *other.flags())
        assert result.returncode == 1, result.stderr
        expect(result.stderr.strip().splitlines()[-1], r"state\.db", "no database")


TESTS = BAD_REQUESTS + [
    ("unknown fields are warned of", warned_fields), ("field causes", field_causes),
    ("bad flags", bad_flags), ("bad config files", bad_config_files), ("port in use", port_in_use), ("folder in use", folder_in_use),
    ("missing runc", missing_runc), ("full disk", full_disk), ("altered record", altered_record), ("torn page", torn_page), ("a file that is no database", no_database)]
