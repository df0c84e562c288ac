"""exec, attach, cp, port-forward, run -it: with every kubectl version of this machine.

Clients fall back in silence, so the protocol that served is read from /metrics.
"""
import json
import os
import pty
import re
import subprocess
import time

from host import NODE_IP, expect, run, wait_for

IMAGE = "skiff.test/web:1"


def every(test):
    def case(host):
        failures = []
        for version in host.kubectls:
            try:
                test(host, version)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failures.append(f"{version}: {error}")
        assert not failures, "\n".join(failures)
    return case


def prepare(host):
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}]}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": spec}))
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "stdin": True, "command": ["sh", "-c", "while read line; do echo got $line; done"]}]}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": spec}))
    host.kubectl_ok("wait", "--for=condition=Ready", "pod/box", "pod/reader", "--timeout=30s")


def upgrades(host):
    """Protocol name to how many streams it has served."""
    text = host.kubectl_ok("get", "--raw", "/metrics")
    return {f"{m[1]}/{m[2]}": int(float(m[3])) for m in re.finditer(r'^skiff_streams_total\{transport="(\w+)",protocol="([^"]+)"\} (\S+)$', text, re.M)}


def minor(version):
    return int(version.split(".")[1])


def exec_output(host, version):
    before = upgrades(host)
    result = host.kubectl("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 7", version=version, timeout=20)
    assert result.returncode == 7 and result.stdout == "out\n" and "err" in result.stderr, result
    served = {p for p, n in upgrades(host).items() if n > before.get(p, 0)}
    wanted = {"websocket/v5.channel.k8s.io"} if minor(version) >= 30 else {"spdy/v4.channel.k8s.io", "spdy/v5.channel.k8s.io"}
    assert len(served) == 1 and served <= wanted, f"served by {served}, not {wanted}"


# Says how long after the head of the upgrade the first output of `echo` comes, in milliseconds.
MEASURE_FIRST_OUTPUT = """
import base64, os, socket, ssl, sys, time
pki, host = sys.argv[1:]
context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
connection = context.wrap_socket(socket.create_connection((host, 6443), 5), server_hostname="kubernetes")
connection.sendall(f"GET /api/v1/namespaces/default/pods/box/exec?command=echo&command=hello&stdout=true HTTP/1.1\\r\\nHost: kubernetes\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\\r\\nSec-WebSocket-Protocol: v5.channel.k8s.io\\r\\n\\r\\n".encode())
got, switched = b"", None
while b"hello" not in got:
    got += connection.recv(4096) or sys.exit("closed: " + repr(got))
    if switched is None and b"\\r\\n\\r\\n" in got:
        switched = time.monotonic()
print((time.monotonic() - switched) * 1000)
"""


def exec_streams_before_output(host):
    """kubectl 1.30 and later drop output that comes before they have made their streams, so the
    upgrade has to be answered before the process is started, not after."""
    times = []
    for _ in range(5):
        result = run(host.command(["python3", "-c", MEASURE_FIRST_OUTPUT, str(host.data / "pki"), NODE_IP]))
        assert result.returncode == 0, result
        times.append(float(result.stdout))
    assert min(times) > 4, f"the first output came {times} ms after the upgrade"


# Sends a resize that is no size, then reads what the command says.
SEND_BAD_RESIZE = MEASURE_FIRST_OUTPUT.replace("command=echo&command=hello&stdout=true", "command=cat&stdin=true&stdout=true&tty=true").replace(
    "got, switched = b\"\", None\n", """
def send(channel, data):
    mask = os.urandom(4)
    payload = bytes([channel]) + data
    connection.sendall(bytes([0x82, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))
for size in (b"[]", b"7", b"null", b"{"):
    send(4, size)
send(0, b"hello\\n")
got, switched = b"", None
""")


def exec_bad_resize(host):
    result = run(host.command(["python3", "-c", SEND_BAD_RESIZE, str(host.data / "pki"), NODE_IP]), timeout=20)
    assert result.returncode == 0 and host.process.poll() is None, (result, host.log_tail(5))


def exec_stdin(host, version):
    data = os.urandom(300_000).hex()
    result = host.kubectl("exec", "-i", "box", "--", "md5sum", version=version, stdin=data, timeout=20)
    import hashlib
    assert result.stdout.split()[0] == hashlib.md5(data.encode()).hexdigest(), result


def exec_large_output(host, version):
    result = host.kubectl("exec", "box", "--", "sh", "-c", "seq 1 200000", version=version, timeout=30)
    assert result.stdout.splitlines()[-1] == "200000" and len(result.stdout.splitlines()) == 200000


def exec_terminal(host, version):
    """exec -it on a real terminal."""
    leader, follower = pty.openpty()
    binary = host.kubectls[version]
    process = subprocess.Popen(host.command([binary, "--kubeconfig", str(host.kubeconfig), "exec", "-it", "box", "--", "sh"]), stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    output = b""

    def read_until(text, seconds=15):
        nonlocal output
        deadline = time.monotonic() + seconds
        os.set_blocking(leader, False)
        while text not in output:
            assert time.monotonic() < deadline, f"no {text} in {output}"
            try:
                output += os.read(leader, 4096)
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
    read_until(b"# ")
    os.write(leader, b"echo $((40+2)); test -t 0 && echo tty; exit 5\n")
    read_until(b"tty\r\n")
    assert b"42" in output, output
    assert process.wait(timeout=10) == 5
    os.close(leader)


def copy_both_ways(host, version):
    source = host.folder / "copied.bin"
    source.write_bytes(os.urandom(500_000))
    result = host.kubectl("cp", str(source), "box:/tmp/copied.bin", version=version, timeout=30)
    assert result.returncode == 0, result.stderr
    back = host.folder / f"back-{version}.bin"
    result = host.kubectl("cp", "box:/tmp/copied.bin", str(back), version=version, timeout=30)
    assert result.returncode == 0, result.stderr
    assert back.read_bytes() == source.read_bytes()


def attach_stdin(host, version):
    process = subprocess.Popen(host.command([host.kubectls[version], "--kubeconfig", str(host.kubeconfig), "attach", "-i", "reader"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(f"hello {version}\n".encode())
    process.stdin.flush()
    os.set_blocking(process.stdout.fileno(), False)
    out = b""
    deadline = time.monotonic() + 10
    while f"got hello {version}".encode() not in out and time.monotonic() < deadline:
        out += process.stdout.read() or b""
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert f"got hello {version}".encode() in out, out


def port_forward(host, version):
    before = upgrades(host)
    process = subprocess.Popen(host.command([host.kubectls[version], "--kubeconfig", str(host.kubeconfig), "port-forward", "pod/box", "18080:8080"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert "Forwarding from" in line, line + process.stderr.read() if process.poll() is not None else line
        for _ in range(3):
            page = host.inside(["curl", "-s", "--max-time", "10", "http://127.0.0.1:18080/"])
            assert "hello" in page, page
    finally:
        process.terminate()
        process.communicate(timeout=10)
    served = {p for p, n in upgrades(host).items() if n > before.get(p, 0)}
    wanted = "websocket/portforward.k8s.io" if minor(version) >= 31 else "spdy/portforward.k8s.io"
    assert served == {wanted}, f"served by {served}, not {wanted}"


def run_rm(host, version):
    name = "run-" + version.replace(".", "-")
    result = host.kubectl("run", name, "-i", "--rm", "--restart=Never", f"--image={IMAGE}", "--image-pull-policy=Never", "--command", "--", "sh", "-c", "read x; echo got $x", version=version, stdin="word\n", timeout=40)
    assert result.returncode == 0, result
    expect(result.stdout, r"got word|deleted", f"run {version}")
    wait_for(lambda: host.kubectl("get", "pod", name).returncode == 1, 20, "the pod's end")


def logs_follow(host, version):
    name = "counter-" + version.replace(".", "-")
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done"]}]}
    host.kubectl_ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}))
    wait_for(lambda: host.kubectl("logs", name).stdout, 20, "a first line")
    result = host.kubectl("logs", "-f", name, version=version, timeout=20)
    assert result.stdout.splitlines() == [f"line {i}" for i in range(1, 6)], result.stdout
    host.kubectl_ok("delete", "pod", name, "--timeout=20s")


def bad_names(host):
    for arguments, pattern in ((["exec", "none", "--", "true"], r'pods "none" not found'), (["exec", "box", "-c", "none", "--", "true"], r"container none is not valid for pod box|container not found"),
                               (["logs", "box", "-c", "none"], r"container none is not valid for pod box"), (["logs", "box", "--previous"], r'previous terminated container "main" in pod "box" not found'),
                               (["exec", "box", "--", "/none"], r"no such file or directory|not found")):
        result = host.kubectl(*arguments, timeout=20)
        assert result.returncode != 0, arguments
        expect(result.stderr, pattern, " ".join(arguments))


def clean_up(host):
    host.kubectl_ok("delete", "pod", "box", "reader", "--timeout=30s")


TESTS = [("pods", prepare), ("exec: output, error, exit code", every(exec_output)), ("exec: streams before output", exec_streams_before_output), ("exec: a resize that is none", exec_bad_resize), ("exec: stdin", every(exec_stdin)), ("exec: large output", every(exec_large_output)),
         ("exec: terminal", every(exec_terminal)), ("cp both ways", every(copy_both_ways)), ("attach", every(attach_stdin)), ("port-forward", every(port_forward)),
         ("run -i --rm", every(run_rm)), ("logs -f", every(logs_follow)), ("bad names", bad_names), ("clean-up", clean_up)]
