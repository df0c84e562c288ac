"""One machine of a test: a network namespace of our own with a skiff in it."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# SKIFF_* are settings of skiff; those that the tests take must not reach it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SKIFF_")}
# How many times longer everything may take: builds with sanitizers are slow.
SLOWNESS = float(os.environ.get("SKIFF_E2E_SLOWNESS", "1"))
# Further flags of every `skiff run`.
RUN_FLAGS = os.environ.get("SKIFF_E2E_RUN_FLAGS", "").split()


def run(arguments, timeout=None, **options):
    options.setdefault("env", ENVIRONMENT)
    return subprocess.run(arguments, capture_output=True, text=True, timeout=timeout and timeout * SLOWNESS, **options)


def must(arguments, **options):
    result = run(arguments, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def wait_for(condition, seconds, what, interval=0.05):
    """Polls until `condition()` is true; the tests' only way to wait for another process."""
    seconds *= SLOWNESS
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(interval)
    raise AssertionError(f"{what} did not happen within {seconds} seconds")


def mount_small_disk(folder, megabytes):
    """Machine.destroy() unmounts it."""
    folder.mkdir(mode=0o700)
    must(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "disk", folder])


def fill_disk(folder):
    """To the last byte; returns the file."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return path


class Namespace:
    """A network namespace; nothing is in it but loopback."""

    def __init__(self, name):
        self.namespace = name

    def create(self):
        must(["ip", "netns", "add", self.namespace])
        self.inside(["ip", "link", "set", "lo", "up"])

    def command(self, arguments):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, arguments)]

    def inside(self, arguments, **options):
        return must(self.command(arguments), **options)

    def processes(self):
        return run(["ip", "netns", "pids", self.namespace]).stdout.split()

    def destroy(self):
        for pid in self.processes():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run(["ip", "netns", "delete", self.namespace])


class Machine(Namespace):
    """`skiff run` with folders, cgroup and namespace of its own."""

    def __init__(self, skiff, name, node_ip, flags=()):
        super().__init__(f"skiff-{name}-{os.getpid()}")
        self.skiff = os.path.abspath(skiff)
        self.name = name
        self.node_ip = node_ip
        self.extra_flags = list(flags)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"skiff-{name}-"))
        self.data, self.runtime = self.folder / "data", self.folder / "run"
        self.log = self.folder / "skiff.log"
        self.cgroup = f"skiff-{name}-{os.getpid()}"
        self.process = None

    def folder_flags(self):
        return ["--data-dir", self.data, "--runtime-dir", self.runtime]

    def flags(self):
        node_ip = ["--node-ip", self.node_ip] if self.node_ip else []
        return [*self.folder_flags(), *node_ip, "--cgroup-parent", self.cgroup, *self.extra_flags, *RUN_FLAGS]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command([self.skiff, "run", *self.flags()]), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True, env=ENVIRONMENT)

    def stop(self, signal_number=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(signal_number)
        self.process.wait(timeout=20 * SLOWNESS)
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def skiff_command(self, *arguments):
        return run(self.command([self.skiff, *arguments]))

    def import_image(self, archive):
        result = self.skiff_command("image", "import", *self.folder_flags(), archive)
        assert result.returncode == 0, result.stderr

    def reset(self):
        return self.skiff_command("reset", *self.folder_flags(), "--cgroup-parent", self.cgroup)

    def destroy(self):
        """Ends everything; returns what was left behind, which must be nothing."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reset()
        left = self.leftovers()
        super().destroy()
        for line in reversed(pathlib.Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(str(self.folder)):
                run(["umount", "-l", line.split()[1]])
        if not os.environ.get("SKIFF_E2E_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def leftovers(self):
        left = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if f"{self.folder}/run" in line or f"{self.data}/" in line]
        left += [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.cgroup}/*/") if p.is_dir()]
        left += [f"process {pid}" for pid in self.processes()]
        left += [f"link {line}" for line in run(self.command(["ip", "-o", "link"])).stdout.splitlines() if ": sk" in line]
        return left + [line for line in run(self.command(["nft", "list", "tables"])).stdout.splitlines() if self.cgroup in line]
