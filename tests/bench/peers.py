"""What skiff is measured beside, as Debian ships it: nginx, etcd, podman."""
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from machine import must


def wait_port(port, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


class Nginx:
    """Serves files over TLS with skiff's own certificate, and asks for client certificates, too."""
    PORT = 18443

    def __init__(self, node, files):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skiff-bench-nginx-"))
        self.folder.chmod(0o755)
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        pki = node.data / "pki"
        (self.folder / "nginx.conf").write_text(f"""
worker_processes 2; daemon off; user root; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b; fastcgi_temp_path {self.folder}/c;
  uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
  server {{
    listen 127.0.0.1:{self.PORT} ssl; root {self.folder};
    ssl_certificate {pki}/server.crt; ssl_certificate_key {pki}/server.key;
    ssl_client_certificate {pki}/ca.crt; ssl_verify_client optional; ssl_session_tickets off;
  }}
}}""")
        self.process = subprocess.Popen(["nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"])
        wait_port(self.PORT)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        shutil.rmtree(self.folder)


class Etcd:
    PORT = 12379

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skiff-bench-etcd-", dir=folder))
        url = f"http://127.0.0.1:{self.PORT}"
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", self.folder / "data", "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", "http://127.0.0.1:12380", "--log-level", "error"], stdout=self.log, stderr=self.log)
        wait_port(self.PORT)
        time.sleep(1)  # the election of its only member

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()
        shutil.rmtree(self.folder)


class Podman:
    """Its own storage, so that nothing of the host's is touched."""

    def __init__(self, archive):
        self.folder = tempfile.mkdtemp(prefix="skiff-bench-podman-")
        self.base = ["podman", "--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--cgroup-manager", "cgroupfs",
                     "--runtime", "runc", "--events-backend", "file", "--tmpdir", f"{self.folder}/tmp"]
        # Podman's defaults are above the hard limits that some hosts give.
        self.limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        must([*self.base, "load", "-q", "-i", str(archive)])

    def start_seconds(self, image):
        """Of one container without a network of its own."""
        begin = time.monotonic()
        name = must([*self.base, "run", "-d", "--network", "none", *self.limits, "--pull", "never", image, "sleep", "1000"]).strip()
        took = time.monotonic() - begin
        must([*self.base, "rm", "-f", "-t", "0", name])
        return took

    def stop(self):
        subprocess.run([*self.base, "system", "reset", "-f"], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
