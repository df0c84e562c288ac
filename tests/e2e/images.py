#!/usr/bin/env python3
"""Makes container images from Debian's busybox-static, as docker-archive files.

usage: images.py OUT.tar NAME:TAG [TEXT OF THE PAGE]
"""
import hashlib
import io
import json
import pathlib
import platform
import sys
import tarfile

BUSYBOX = pathlib.Path("/bin/busybox")
APPLETS = ["sh", "cat", "echo", "env", "sleep", "httpd", "wget", "nslookup", "nc", "ls", "id", "hostname",
           "true", "false", "kill", "ps", "tar", "dd", "date", "mkdir", "rm", "touch", "stty", "ip", "test", "seq",
           "grep", "head", "tail", "wc", "md5sum", "mount", "free", "yes", "trap", "printf", "cp", "mv", "sync"]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def add_file(archive, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    archive.addfile(info, io.BytesIO(data))


def add_folder(archive, name, mode=0o755):
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    archive.addfile(info)


def layer(page):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "etc", "www", "proc", "sys", "dev", "var"):
            add_folder(archive, folder)
        add_folder(archive, "tmp", 0o1777)
        add_file(archive, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(info)
        add_file(archive, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000::/www:/bin/sh\n")
        add_file(archive, "etc/group", b"root:x:0:\nweb:x:1000:\n")
        add_file(archive, "www/index.html", page.encode() + b"\n")
    return buffer.getvalue()


def make_image(path, name, page="hello from skiff", **config):
    """Writes the archive; `config` overrides members of the image's config (Cmd, User, Env, …)."""
    data = layer(page)
    digest = hashlib.sha256(data).hexdigest()
    document = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
        "config": {"Env": ["PATH=/bin", "IMAGE_ENV=set"], "Cmd": ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"],
                   "WorkingDir": "/www", **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    config_text = json.dumps(document).encode()
    config_digest = hashlib.sha256(config_text).hexdigest()
    manifest = [{"Config": f"{config_digest}.json", "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        add_file(archive, f"{digest}/layer.tar", data)
        add_file(archive, f"{config_digest}.json", config_text)
        add_file(archive, "manifest.json", json.dumps(manifest).encode())


if __name__ == "__main__":
    make_image(sys.argv[1], sys.argv[2], *sys.argv[3:4])
