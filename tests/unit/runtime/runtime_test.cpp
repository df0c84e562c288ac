#include <skiff/base/strings.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/files.h>
#include <skiff/sys/process.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "runtime_fixture.h"

using namespace skiff;
using namespace skiff::runtime;
using namespace skiff::runtime_test;
using base::concat;

TEST_CASE("a container runs to its end and its log and exit code are kept") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  CHECK(pod.state == PodState::running);
  CHECK(sys::path_exists(pod.network_namespace_path));
  auto options = fixture.container_options(
      "c1", "p1",
      "echo out; echo err >&2; hostname; id; echo $FROM $EXTRA; pwd; printf tail; exit 3");
  options.env = {{"EXTRA", "ours"}};
  options.working_dir = "/made/here";
  auto status = fixture.run(options);
  CHECK(status.stop_signal == "SIGTERM");
  status = fixture.wait_exit("c1");
  CHECK(status.exit_code == 3);
  CHECK(status.exit_signal == 0);
  CHECK(status.reason == "Error");
  CHECK(status.started_at >= status.created_at);
  CHECK(status.finished_at >= status.started_at);
  auto log = fixture.log_of("c1");
  CHECK(log.find("out") != std::string::npos);
  CHECK(log.find("host-p1") != std::string::npos);
  CHECK(log.find("uid=0(root) gid=0(root)") != std::string::npos);
  CHECK(log.find("image ours") != std::string::npos);
  CHECK(log.find("/made/here") != std::string::npos);
  CHECK(log.find("tail") != std::string::npos);
  auto raw = fixture.raw_log_of("c1");
  CHECK(raw.find("Z stderr F err\n") != std::string::npos);
  CHECK(raw.find("Z stdout F out\n") != std::string::npos);
  CHECK(raw.substr(0, 2) == "20");
  CHECK(raw[10] == 'T');
  CHECK(fixture.runtime->remove_container("c1").is_ok());
  CHECK(fixture.runtime->container("c1").code() == base::Code::not_found);
  CHECK_FALSE(fixture.raw_log_of("c1").empty());
  CHECK(fixture.runtime->remove_pod("p1").is_ok());
  CHECK(fixture.runtime->remove_pod("p1").is_ok());
}

TEST_CASE("a command that is not there fails in runc's words and leaves nothing") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "");
  options.command = {"nope"};
  auto created = fixture.runtime->create_container(options);
  CHECK(created.code() == base::Code::invalid_argument);
  CHECK(created.status().message().find("exec: \"nope\": executable file not found in $PATH") !=
        std::string::npos);
  CHECK(fixture.runtime->container("c1").code() == base::Code::not_found);
  CHECK(sys::list_folder(fixture.folder / "data/snapshots/c")->empty());
  CHECK(fixture.raw_log_of("c1").empty());
  options.command = {"/bin/true"};
  options.run_as_non_root = true;
  CHECK(fixture.runtime->create_container(options).status().message() ==
        "container has runAsNonRoot and image will run as root");
  options.run_as_non_root = false;
  options.image_id = "sha256:" + std::string(64, '0');
  CHECK(fixture.runtime->create_container(options).code() == base::Code::not_found);
  options.image_id = fixture.image_id;
  options.pod_uid = "other";
  CHECK(fixture.runtime->create_container(options).code() == base::Code::not_found);
  options.pod_uid = "p1";
  options.id = "../x";
  CHECK(fixture.runtime->create_container(options).code() == base::Code::invalid_argument);
  options.id = "c1";
  fixture.run(options);
  CHECK(fixture.wait_exit("c1").reason == "Completed");
}

TEST_CASE("signals end a container, also one that ignores SIGTERM") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto status = fixture.run(fixture.container_options(
      "c1", "p1", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"));
  CHECK(status.state == ContainerState::running);
  CHECK(fixture.wait_log("c1", "ready"));
  CHECK(fixture.runtime->remove_container("c1").code() == base::Code::conflict);
  CHECK(fixture.runtime->signal_container("c1", SIGTERM).is_ok());
  CHECK(fixture.wait_exit("c1").exit_code == 0);
  CHECK(fixture.log_of("c1").find("bye") != std::string::npos);
  fixture.run(fixture.container_options("c2", "p1", "trap '' TERM; echo ready; sleep 1000"));
  CHECK(fixture.wait_log("c2", "ready"));
  CHECK(fixture.runtime->signal_container("c2", SIGTERM).is_ok());
  CHECK(fixture.runtime->signal_container("c2", SIGKILL).is_ok());
  status = fixture.wait_exit("c2");
  CHECK(status.exit_code == 137);
  CHECK(status.exit_signal == SIGKILL);
  CHECK_FALSE(status.oom_killed);
}

TEST_CASE("running out of memory is told") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "head -c 200m /dev/zero | tail -c 100m");
  options.command = {"/bin/sh", "-c", "x=a; while :; do x=$x$x; done"};
  options.resources.memory_limit_bytes = 24 << 20;
  options.resources.cpu_shares = 512;
  options.resources.cpu_quota_us = 100'000;
  options.resources.cpu_period_us = 100'000;
  options.resources.oom_score_adj = -500;  // clamped where it is not allowed
  fixture.run(options);
  auto status = fixture.wait_exit("c1");
  CHECK(status.oom_killed);
  CHECK(status.reason == "OOMKilled");
  CHECK(status.exit_code == 137);
}

TEST_CASE("containers survive skiff and are adopted with what happened meanwhile") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  auto running = fixture.run(fixture.container_options(
      "c1", "p1", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done"));
  fixture.run(fixture.container_options("c2", "p1", "sleep 0.3; exit 5"));
  auto created = fixture.runtime->create_container(fixture.container_options("c3", "p1", "exit 0"));
  REQUIRE(created.is_ok());
  fixture.runtime.reset();
  CHECK(fixture.wait_log("c1", "line 15"));
  fixture.restart();
  auto adopted = fixture.runtime->adopt();
  REQUIRE(adopted.is_ok());
  REQUIRE(adopted->pods.size() == 1);
  CHECK(adopted->pods[0].shim_pid == pod.shim_pid);
  CHECK(adopted->pods[0].state == PodState::running);
  REQUIRE(adopted->containers.size() == 3);
  CHECK(adopted->containers[0].pid == running.pid);
  CHECK(adopted->containers[0].state == ContainerState::running);
  CHECK(adopted->containers[0].started_at == running.started_at);
  CHECK(adopted->containers[1].state == ContainerState::exited);
  CHECK(adopted->containers[1].exit_code == 5);
  CHECK(adopted->containers[2].state == ContainerState::created);
  CHECK(fixture.runtime->start_container("c3").is_ok());
  CHECK(fixture.wait_exit("c3").exit_code == 0);
  CHECK(fixture.runtime->signal_container("c1", SIGKILL).is_ok());
  CHECK(fixture.wait_exit("c1").exit_code == 137);
}

TEST_CASE("what a killed skiff left half made is removed, torn records too") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  auto process = sys::identify_process(pod.shim_pid);
  fixture.run(fixture.container_options("c1", "p1", "sleep 1000"));
  fixture.create_pod("p2");
  fixture.run(fixture.container_options("c2", "p2", "sleep 1000"));
  fixture.runtime.reset();
  write_file(fixture.folder / "data/runtime/pods/p1.json", "");
  write_file(fixture.folder / "data/runtime/containers/c1/record.json", "{torn");
  fixture.restart();
  auto adopted = fixture.runtime->adopt();
  REQUIRE(adopted.is_ok());
  REQUIRE(adopted->pods.size() == 1);
  CHECK(adopted->pods[0].uid == "p2");
  REQUIRE(adopted->containers.size() == 1);
  CHECK(adopted->containers[0].state == ContainerState::running);
  CHECK(*sys::list_folder(fixture.folder / "run/pods") == std::vector<std::string>{"p2"});
  CHECK(*sys::list_folder(fixture.folder / "data/snapshots/c") == std::vector<std::string>{"c2"});
  CHECK(*sys::list_folder(fixture.folder / "run/runc") == std::vector<std::string>{"c2"});
  for (int i = 0; i < 500 && sys::is_process_alive(*process); ++i) poll(nullptr, 0, 10);
  CHECK_FALSE(sys::is_process_alive(*process));
}

TEST_CASE("containers whose pod a power cut has taken go with it") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  fixture.run(fixture.container_options("c1", "p1", "sleep 1000"));
  REQUIRE(kill(pod.shim_pid, SIGKILL) == 0);
  fixture.wait_shim_end("p1");
  fixture.runtime.reset();
  REQUIRE(sys::remove_tree(fixture.folder / "data/runtime/pods/p1.json").is_ok());
  fixture.restart();
  auto adopted = fixture.runtime->adopt();
  REQUIRE(adopted.is_ok());
  CHECK(adopted->pods.empty());
  REQUIRE(adopted->containers.size() == 1);
  CHECK(adopted->containers[0].state == ContainerState::exited);
  CHECK(fixture.runtime->remove_pod("p1").is_ok());
  CHECK(fixture.runtime->container("c1").code() == base::Code::not_found);
  CHECK(sys::list_folder(fixture.folder / "data/snapshots/c")->empty());
  CHECK(sys::list_folder(fixture.folder / "data/runtime/containers")->empty());
}

TEST_CASE("the end of a supervisor ends its containers and is a reason") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  auto status = fixture.run(fixture.container_options("c1", "p1", "sleep 1000"));
  auto process = sys::identify_process(status.pid);
  REQUIRE(process.is_ok());
  REQUIRE(kill(pod.shim_pid, SIGKILL) == 0);
  fixture.wait_shim_end("p1");
  auto ended = fixture.runtime->container("c1");
  REQUIRE(ended.is_ok());
  CHECK(ended->state == ContainerState::exited);
  CHECK(ended->exit_code == 255);
  CHECK(ended->reason == "ContainerStatusUnknown");
  CHECK_FALSE(sys::is_process_alive(*process));
  CHECK(fixture.runtime->pod("p1")->state == PodState::stopped);
  CHECK(fixture.runtime->create_container(fixture.container_options("c2", "p1", "")).code() !=
        base::Code::ok);
  fixture.restart();
  auto adopted = fixture.runtime->adopt();
  REQUIRE(adopted.is_ok());
  REQUIRE(adopted->containers.size() == 1);
  CHECK(adopted->containers[0].reason == "ContainerStatusUnknown");
}

TEST_CASE("exec gives output, input, errors and the exit code") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  fixture.run(fixture.container_options("c1", "p1", "sleep 1000"));
  ExecOptions options;
  options.container_id = "c1";
  options.command = {"/bin/sh", "-c", "cat; echo bad >&2; echo $FROM; exit 9"};
  options.stdin_open = true;
  auto session = fixture.runtime->exec(options);
  INFO(session.status().to_string());
  REQUIRE(session.is_ok());
  auto& streams = (*session)->streams();
  CHECK_FALSE((*session)->exit_code().is_ok());
  CHECK(write(streams.stdin_fd.get(), "hello\n", 6) == 6);
  streams.stdin_fd.reset();
  CHECK(read_until(streams.stdout_fd.get(), "") == "hello\nimage\n");
  CHECK(read_until(streams.stderr_fd.get(), "") == "bad\n");
  CHECK(sys::read_descriptor((*session)->exit_fd(), 0).status().code() == base::Code::too_large);
  options.command = {"nope"};
  auto bad = fixture.runtime->exec(options);
  CHECK(bad.code() == base::Code::invalid_argument);
  CHECK(bad.status().message().find("exec: \"nope\": executable file not found in $PATH") !=
        std::string::npos);
  options.command = {"sh", "-c", "exit 42"};
  session = fixture.runtime->exec(options);
  REQUIRE(session.is_ok());
  CHECK(read_until((*session)->streams().stdout_fd.get(), "").empty());
  pollfd ended{(*session)->exit_fd(), POLLIN, 0};
  CHECK(poll(&ended, 1, 10'000) == 1);
  CHECK((*session)->exit_code().value_or(-1) == 42);
  CHECK((*session)->exit_code().value_or(-1) == 42);
  options.container_id = "none";
  CHECK(fixture.runtime->exec(options).code() == base::Code::not_found);
}

TEST_CASE("exec with a terminal is resized and ends with its session") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  fixture.run(fixture.container_options("c1", "p1", "sleep 1000"));
  ExecOptions options;
  options.container_id = "c1";
  options.tty = options.stdin_open = true;
  options.command = {"/bin/sh"};
  {
    auto session = fixture.runtime->exec(options);
    INFO(session.status().to_string());
    REQUIRE(session.is_ok());
    CHECK((*session)->resize(99, 33).is_ok());
    int fd = (*session)->streams().stdout_fd.get();
    CHECK(write(fd, "stty size; tty; echo T=$TERM\n", 29) == 29);
    CHECK(read_until(fd, "T=xterm\r\n").find("33 99") != std::string::npos);
  }
  auto usage = fixture.runtime->usage("c1");
  REQUIRE(usage.is_ok());
  CHECK(usage->memory_bytes > 0);
  for (int i = 0; i < 500 && usage->pids > 1; ++i) {
    poll(nullptr, 0, 10);
    usage = fixture.runtime->usage("c1");
  }
  CHECK(usage->pids == 1);
}

TEST_CASE("attach sees output from then on and gives input until it ends") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "cat; echo end >&2; exit 4");
  options.stdin_open = options.stdin_once = true;
  fixture.run(options);
  auto session = fixture.runtime->attach("c1");
  REQUIRE(session.is_ok());
  auto watcher = fixture.runtime->attach("c1");
  REQUIRE(watcher.is_ok());
  CHECK_FALSE(watcher->streams.stdin_fd.is_valid());
  REQUIRE(session->streams.stdin_fd.is_valid());
  CHECK(write(session->streams.stdin_fd.get(), "hello\n", 6) == 6);
  CHECK(read_until(session->streams.stdout_fd.get(), "hello\n") == "hello\n");
  session->streams.stdin_fd.reset();
  CHECK(fixture.wait_exit("c1").exit_code == 4);
  CHECK(read_until(session->streams.stderr_fd.get(), "") == "end\n");
  CHECK(read_until(watcher->streams.stdout_fd.get(), "") == "hello\n");
  CHECK(fixture.log_of("c1") == "hello\nend");
  CHECK(fixture.runtime->attach("c1").code() == base::Code::conflict);
}

TEST_CASE("attach to a terminal goes both ways and resizes") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "");
  options.command = {"/bin/sh"};
  options.tty = options.stdin_open = true;
  fixture.run(options);
  for (int round = 0; round < 6; ++round) {  // more often than there are places at once
    auto session = fixture.runtime->attach("c1");
    INFO(session.status().to_string());
    REQUIRE(session.is_ok());
    CHECK(session->resize(80, 24).is_ok());
    int fd = session->streams.stdout_fd.get();
    CHECK(write(fd, "echo $((6*7))\n", 14) == 14);
    CHECK(read_until(fd, "42\r\n").find("42\r\n") != std::string::npos);
  }
  auto session = fixture.runtime->attach("c1");
  REQUIRE(session.is_ok());
  CHECK(write(session->streams.stdout_fd.get(), "exit 6\n", 7) == 7);
  CHECK(fixture.wait_exit("c1").exit_code == 6);
  CHECK(fixture.raw_log_of("c1").find("stdout F 42\r\n") != std::string::npos);
}

TEST_CASE("logs are rotated, long lines are cut into parts, nothing is lost") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options(
      "c1", "p1", "head -c 40000 /dev/zero | tr '\\0' x; echo; seq 1 3000");
  options.log_bytes_max = 32'768;
  options.log_files_max = 10;
  fixture.run(options);
  CHECK(fixture.wait_exit("c1").exit_code == 0);
  std::string all;
  for (int n = 9; n >= 0; --n) {
    std::string path = fixture.folder / concat("logs/c1.log", n == 0 ? "" : concat(".", n));
    auto text = sys::read_file(path, 1u << 20);
    if (!text.is_ok()) continue;
    CHECK(text->size() < 32'768 + 20'000);
    all += *text;
  }
  CHECK(sys::path_exists(fixture.folder / "logs/c1.log.1"));
  std::size_t parts = 0, wanted = 1;
  for (auto line : base::split(all, '\n')) {
    if (line.find("stdout P xxx") != std::string_view::npos) ++parts;
    if (base::ends_with(line, concat("stdout F ", wanted))) ++wanted;
  }
  CHECK(parts == 2);
  CHECK(wanted == 3001);
}

TEST_CASE("a full disk costs log lines, not the container") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "seq 1 100000; exit 0");
  options.log_path = "/dev/full";
  fixture.run(options);
  CHECK(fixture.wait_exit("c1").exit_code == 0);
}

TEST_CASE("security options reach the process") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  auto options = fixture.container_options(
      "c1", "p1",
      "id; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; touch /x 2>&1; "
      "mkdir /tmp/a && echo shm-$(stat -f -c %T /dev/shm); mount -t tmpfs t /mnt 2>&1; echo done");
  options.run_as_user = 1000;
  options.supplemental_groups = {3000};
  options.read_only_root = true;
  options.no_new_privileges = true;
  options.capabilities_drop = {"ALL"};
  options.seccomp = "RuntimeDefault";
  options.mounts = {{"tmpfs", "/tmp", "tmpfs", {"mode=1777"}}};
  fixture.run(options);
  auto status = fixture.wait_exit("c1");
  auto log = fixture.log_of("c1");
  INFO(log);
  CHECK(status.exit_code == 0);
  CHECK(log.find("uid=1000(web) gid=1001(webs)") != std::string::npos);
  CHECK(log.find("2000(extra)") != std::string::npos);
  CHECK(log.find("3000") != std::string::npos);
  CHECK(log.find("CapEff:\t0000000000000000") != std::string::npos);
  CHECK(log.find("NoNewPrivs:\t1") != std::string::npos);
  CHECK(log.find("Seccomp:\t2") != std::string::npos);
  CHECK(log.find("Read-only file system") != std::string::npos);
  CHECK(log.find("shm-tmpfs") != std::string::npos);
  options = fixture.container_options(
      "c2", "p1",
      "mkdir /m && mount -t tmpfs t /m && echo mounted; "
      "test -e /dev/kmsg && echo devices; echo > /proc/sys/net/ipv4/ip_forward && echo writable");
  options.privileged = true;
  fixture.run(options);
  fixture.wait_exit("c2");
  log = fixture.log_of("c2");
  INFO(log);
  CHECK(log.find("mounted") != std::string::npos);
  CHECK(log.find("devices") != std::string::npos);
}

TEST_CASE("skiff's own environment does not reach containers, nor what systemd told it") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  setenv("NOTIFY_SOCKET", (fixture.folder / "notify").c_str(), 1);
  setenv("SKIFF_TEST_SECRET", "x", 1);
  fixture.create_pod("p1");
  fixture.run(fixture.container_options("c1", "p1", "env; exit 3"));
  unsetenv("NOTIFY_SOCKET");
  unsetenv("SKIFF_TEST_SECRET");
  CHECK(fixture.wait_exit("c1").exit_code == 3);
  CHECK(fixture.log_of("c1").find("NOTIFY_SOCKET") == std::string::npos);
  CHECK(fixture.log_of("c1").find("SKIFF_TEST_SECRET") == std::string::npos);
}

TEST_CASE("pods share namespaces as asked") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto options = fixture.pod_options("p1");
  options.share_process_namespace = true;
  options.sysctls = {{"net.ipv4.ip_unprivileged_port_start", "99"}, {"kernel.msgmax", "4444"}};
  REQUIRE(fixture.runtime->create_pod(options).is_ok());
  fixture.run(fixture.container_options("c1", "p1", "echo mark > /dev/shm/x; sleep 1000"));
  fixture.run(fixture.container_options(
      "c2", "p1",
      "while ! grep -q mark /dev/shm/x 2>/dev/null; do sleep 0.01; done; ps; "
      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; "
      "ip addr show lo; exit 8"));
  CHECK(fixture.wait_exit("c2").exit_code == 8);
  auto log = fixture.log_of("c2");
  INFO(log);
  CHECK(log.find("sleep 1000") != std::string::npos);
  CHECK(log.find("\n99\n4444") != std::string::npos);
  CHECK(log.find("127.0.0.1/8") != std::string::npos);
  options = fixture.pod_options("p2");
  options.host_network = options.host_pid = options.host_ipc = true;
  auto pod = fixture.runtime->create_pod(options);
  REQUIRE(pod.is_ok());
  CHECK(pod->network_namespace_path.empty());
  fixture.run(
      fixture.container_options("c3", "p2", concat("test -d /proc/", getpid(), " && hostname")));
  CHECK(fixture.wait_exit("c3").exit_code == 0);
  options.uid = "p3";
  options.sysctls = {{"net.ipv4.ip_forward", "1"}};
  CHECK(fixture.runtime->create_pod(options).code() == base::Code::invalid_argument);
  options.sysctls = {{"vm.swappiness", "1"}};
  CHECK(fixture.runtime->create_pod(options).code() == base::Code::invalid_argument);
  options.sysctls.clear();
  options.uid = "../x";
  CHECK(fixture.runtime->create_pod(options).code() == base::Code::invalid_argument);
}

namespace {

std::int64_t private_kb_of(int pid) {
  auto text = sys::read_file(concat("/proc/", pid, "/smaps_rollup"), 1u << 16);
  REQUIRE(text.is_ok());
  std::int64_t private_kb = 0;
  for (auto line : base::split(*text, '\n'))
    if (base::starts_with(line, "Private_")) {
      auto number = base::trim(line.substr(line.find(':') + 1));
      private_kb += base::parse_int(number.substr(0, number.find(' '))).value_or(0);
    }
  return private_kb;
}

}  // namespace

TEST_CASE("a supervisor costs at most 0.3 MB of private memory") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  auto pod = fixture.create_pod("p1");
  auto options = fixture.container_options("c1", "p1", "seq 1 100000; sleep 1000");
  fixture.run(options);
  CHECK(fixture.wait_log("c1", "\n100000"));
  fixture.create_pod("p2");  // so that the program's own pages are shared
  std::int64_t private_kb = private_kb_of(pod.shim_pid);
  WARN("private memory of the shim: " << private_kb << " KB");
  CHECK(private_kb > 0);
  CHECK(private_kb <= 300);
}
