#include <skiff/base/strings.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>
#include <skiff/sys/namespaces.h>
#include <skiff/sys/process.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstdlib>

using namespace skiff;
using base::concat;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/skiff-sys-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { (void)sys::remove_tree(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

base::UniqueFd open_folder(const std::string& path) {
  return base::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

TEST_CASE("a program runs with its input and gives output and exit code") {
  sys::RunOptions options;
  options.argv = {"sh", "-c", "cat; echo bad >&2; exit 7"};
  options.input = std::string(100'000, 'x');
  auto result = sys::run_process(std::move(options));
  REQUIRE(result.is_ok());
  CHECK(result->exit_code == 7);
  CHECK(result->output.size() == 100'000);
  CHECK(result->error_output == "bad\n");
}

TEST_CASE("a program that does not exist is not found") {
  sys::RunOptions options;
  options.argv = {"skiff-no-such-program"};
  CHECK(sys::run_process(std::move(options)).code() == base::Code::not_found);
}

TEST_CASE("a program that takes too long is killed") {
  sys::RunOptions options;
  options.argv = {"sleep", "100"};
  options.timeout_ms = 50;
  CHECK(sys::run_process(std::move(options)).code() == base::Code::deadline_exceeded);
}

TEST_CASE("output beyond the limit is dropped, the program still ends") {
  sys::RunOptions options;
  options.argv = {"sh", "-c", "head -c 300000 /dev/zero"};
  options.output_bytes_max = 1000;
  auto result = sys::run_process(std::move(options));
  REQUIRE(result.is_ok());
  CHECK(result->exit_code == 0);
  CHECK(result->output.size() == 1000);
}

TEST_CASE("a process is known by id and start time") {
  sys::SpawnOptions options;
  options.argv = {"sleep", "100"};
  auto pid = sys::spawn_process(options);
  REQUIRE(pid.is_ok());
  auto id = sys::identify_process(*pid);
  REQUIRE(id.is_ok());
  CHECK(sys::is_process_alive(*id));
  auto other = *id;
  other.start_ticks += 1;
  CHECK_FALSE(sys::is_process_alive(other));
  CHECK(sys::signal_process(other, SIGKILL).code() == base::Code::not_found);
  CHECK(sys::signal_process(*id, SIGKILL).is_ok());
  CHECK(*sys::wait_process(*pid) == 128 + SIGKILL);
  CHECK_FALSE(sys::is_process_alive(*id));
}

TEST_CASE("descriptors are handed to a child at the asked-for numbers") {
  int pipe_fds[2];
  REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
  base::UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]);
  sys::SpawnOptions options;
  options.argv = {"sh", "-c", "echo one; echo two >&3"};
  options.descriptors = {{writer.get(), 1}, {writer.get(), 3}};
  auto pid = sys::spawn_process(options);
  REQUIRE(pid.is_ok());
  writer.reset();
  CHECK(*sys::wait_process(*pid) == 0);
  CHECK(*sys::read_descriptor(reader.get(), 100) == "one\ntwo\n");
}

TEST_CASE("an oom score is clamped to what this process may set") {
  if (sys::has_capability(24)) {  // CAP_SYS_RESOURCE
    CHECK(sys::clamp_oom_score_adj(-999) == -999);
  } else {
    auto own = sys::read_file("/proc/self/oom_score_adj", 100);
    REQUIRE(own.is_ok());
    CHECK(sys::clamp_oom_score_adj(-1000) == *base::parse_int(base::trim(*own)));
  }
  CHECK(sys::clamp_oom_score_adj(5000) == 1000);
}

TEST_CASE("a file is replaced as a whole and nothing temporary stays") {
  Folder folder;
  REQUIRE(sys::write_file_atomic(folder / "a", "one").is_ok());
  REQUIRE(sys::write_file_atomic(folder / "a", "two", 0600).is_ok());
  CHECK(*sys::read_file(folder / "a", 10) == "two");
  CHECK(*sys::list_folder(folder.path) == std::vector<std::string>{"a"});
  struct stat info {};
  REQUIRE(stat((folder / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(sys::write_file_atomic(folder / "missing/a", "x").code() == base::Code::not_found);
  CHECK(sys::read_file(folder / "a", 2).code() == base::Code::too_large);
  CHECK(sys::read_file(folder / "b", 2).code() == base::Code::not_found);
}

TEST_CASE("folders are made with those above them, and may be there already") {
  Folder folder;
  for (const char* path : {"a/b/c/d", "a/b/c/d", "a//e/", "a/e/f/", "x"}) {
    CHECK(sys::make_folders(folder / path, 0711).is_ok());
    CHECK(sys::path_exists(folder / path));
  }
  struct stat info {};
  REQUIRE(stat((folder / "a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == (0711 & ~022));
  REQUIRE(symlink("a/e", (folder / "link").c_str()) == 0);
  CHECK(sys::make_folders(folder / "link/g").is_ok());
  CHECK(sys::path_exists(folder / "a/e/g"));
  REQUIRE(sys::write_file_atomic(folder / "file", "x").is_ok());
  CHECK_FALSE(sys::make_folders(folder / "file").is_ok());
  CHECK_FALSE(sys::make_folders(folder / "file/below/it").is_ok());
  REQUIRE(symlink("nowhere", (folder / "dangling").c_str()) == 0);
  CHECK_FALSE(sys::make_folders(folder / "dangling").is_ok());
  CHECK_FALSE(sys::make_folders(folder / "dangling/below").is_ok());
  CHECK(sys::make_folders("/").is_ok());
  CHECK_FALSE(sys::make_folders("").is_ok());
}

TEST_CASE("a tree is removed without following its links") {
  Folder folder;
  REQUIRE(sys::make_folders(folder / "tree/deep/er").is_ok());
  REQUIRE(sys::make_folders(folder / "kept").is_ok());
  REQUIRE(sys::write_file_atomic(folder / "kept/file", "x").is_ok());
  REQUIRE(symlink((folder / "kept").c_str(), (folder / "tree/deep/link").c_str()) == 0);
  CHECK(sys::remove_tree(folder / "tree").is_ok());
  CHECK_FALSE(sys::path_exists(folder / "tree"));
  CHECK(sys::path_exists(folder / "kept/file"));
  CHECK(sys::remove_tree(folder / "tree").is_ok());
  CHECK_FALSE(sys::remove_tree(folder.path + "/..").is_ok());
}

TEST_CASE("a tree of any depth is removed") {
  Folder folder;
  REQUIRE(sys::make_folders(folder / "tree").is_ok());
  auto at = open_folder(folder / "tree");
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(mkdirat(at.get(), "d", 0755) == 0);
    base::UniqueFd next(openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    at = std::move(next);
  }
  at.reset();
  CHECK(sys::remove_tree(folder / "tree").is_ok());
  CHECK_FALSE(sys::path_exists(folder / "tree"));
}

TEST_CASE("opening in a root never leaves it") {
  Folder folder;
  REQUIRE(sys::make_folders(folder / "root/etc").is_ok());
  REQUIRE(sys::write_file_atomic(folder / "root/etc/passwd", "inside").is_ok());
  REQUIRE(sys::write_file_atomic(folder / "secret", "outside").is_ok());
  REQUIRE(symlink("../../../secret", (folder / "root/up").c_str()) == 0);
  REQUIRE(symlink((folder / "secret").c_str(), (folder / "root/absolute").c_str()) == 0);
  REQUIRE(symlink("/etc", (folder / "root/link").c_str()) == 0);
  REQUIRE(symlink("loop", (folder / "root/loop").c_str()) == 0);
  auto root = open_folder(folder / "root");
  auto read = [&](std::string_view path) {
    auto fd = sys::open_in_root(root.get(), path, O_RDONLY);
    return fd.is_ok() ? *sys::read_descriptor(fd->get(), 100) : std::string();
  };
  CHECK(read("etc/passwd") == "inside");
  CHECK(read("/../../etc/./passwd") == "inside");
  CHECK(read("link/passwd") == "inside");
  CHECK(read("up") == "");
  CHECK(read("absolute") == "");
  CHECK(read("../secret") == "");
  CHECK_FALSE(sys::open_in_root(root.get(), "loop", O_RDONLY).is_ok());
  CHECK_FALSE(sys::open_in_root(root.get(), "link", O_RDONLY | O_NOFOLLOW).is_ok());
}

TEST_CASE("mountinfo is read with its escapes and odd lines") {
  auto entries = sys::parse_mountinfo(
      "36 35 98:0 / /mnt\\0402 rw,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue\n"
      "37 35 0:5 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "garbage\n38 - -\n");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].mount_point == "/mnt 2");
  CHECK(entries[0].type == "ext4");
  CHECK(entries[1].super_options == "rw,cpu");
}

TEST_CASE("mounting and unmounting, read-only binds and overlays") {
  if (geteuid() != 0) return;
  Folder folder;
  for (auto name : {"lower", "upper", "work", "merged", "bind"})
    REQUIRE(sys::make_folders(folder / name).is_ok());
  REQUIRE(sys::write_file_atomic(folder / "lower/file", "x").is_ok());
  auto mounted = sys::mount_overlay(folder.path, {"lower"}, folder / "upper", folder / "work",
                                    folder / "merged");
  REQUIRE(mounted.is_ok());
  CHECK(sys::path_exists(folder / "merged/file"));
  REQUIRE(sys::mount(folder / "merged", folder / "bind", "", {"bind", "ro"}).is_ok());
  CHECK_FALSE(sys::write_file_atomic(folder / "bind/new", "x").is_ok());
  CHECK(sys::remove_tree(folder / "bind").code() == base::Code::unavailable);
  REQUIRE(sys::unmount_tree(folder.path).is_ok());
  CHECK_FALSE(sys::path_exists(folder / "merged/file"));
  CHECK(sys::unmount(folder / "merged").is_ok());
}

TEST_CASE("cgroups on this host take a process, count it and go away") {
  auto cgroups = sys::make_cgroups();
  if (geteuid() != 0 || cgroups->mode() == sys::CgroupMode::none) return;
  std::string group = concat("skiff-test-", getpid());
  REQUIRE(cgroups->create(group + "/child").is_ok());
  sys::CgroupLimits limits;
  limits.memory_limit_bytes = 64 << 20;
  limits.cpu_shares = 512;
  limits.pids_limit = 50;
  CHECK(cgroups->set_limits(group + "/child", limits).is_ok());
  sys::SpawnOptions options;
  options.argv = {"sleep", "100"};
  auto pid = sys::spawn_process(options);
  REQUIRE(pid.is_ok());
  auto added = cgroups->add_process(group + "/child", *pid);
  CHECK(added.is_ok());
  CHECK(cgroups->processes(group) == std::vector<int>{*pid});
  auto usage = cgroups->usage(group + "/child");
  REQUIRE(usage.is_ok());
  if (cgroups->has_controller("pids")) CHECK(usage->pids == 1);
  CHECK(usage->oom_kills == 0);
  kill(*pid, SIGKILL);
  CHECK(sys::wait_process(*pid).is_ok());
  CHECK(sys::kill_cgroup(*cgroups, group, 1000).is_ok());
  CHECK(cgroups->remove(group).is_ok());
  CHECK(cgroups->usage(group).code() == base::Code::not_found);
}

TEST_CASE("cgroup v2 files get v2 values") {
  Folder folder;
  for (auto [name, text] : {std::pair("cgroup.controllers", "cpu memory pids\n"),
                            std::pair("cgroup.subtree_control", "")})
    REQUIRE(sys::write_file_atomic(folder / name, text).is_ok());
  auto cgroups = sys::make_cgroups_v2(folder.path);
  CHECK(cgroups->has_controller("memory"));
  CHECK_FALSE(cgroups->has_controller("io"));
  REQUIRE(cgroups->create("a").is_ok());
  for (auto name : {"cpu.max", "cpu.weight", "memory.max", "pids.max"})
    REQUIRE(sys::write_file_atomic(folder / concat("a/", name), "").is_ok());
  sys::CgroupLimits limits;
  limits.cpu_shares = 1024;
  limits.cpu_quota_us = 50'000;
  limits.memory_limit_bytes = 1000;
  limits.pids_limit = -1;
  REQUIRE(cgroups->set_limits("a", limits).is_ok());
  CHECK(*sys::read_file(folder / "a/cpu.max", 100) == "50000 100000");
  CHECK(*sys::read_file(folder / "a/cpu.weight", 100) == "39");
  CHECK(*sys::read_file(folder / "a/memory.max", 100) == "1000");
  CHECK(*sys::read_file(folder / "a/pids.max", 100) == "max");
  REQUIRE(sys::write_file_atomic(folder / "a/memory.events", "low 0\noom 3\noom_kill 2\n").is_ok());
  REQUIRE(sys::write_file_atomic(folder / "a/cpu.stat", "usage_usec 5\nuser_usec 1\n").is_ok());
  auto usage = cgroups->usage("a");
  REQUIRE(usage.is_ok());
  CHECK(usage->oom_kills == 2);
  CHECK(usage->cpu_ns == 5000);
}

TEST_CASE("shares become weights over the whole range") {
  CHECK(sys::cpu_weight_of_shares(0) == 0);
  CHECK(sys::cpu_weight_of_shares(1) == 1);
  CHECK(sys::cpu_weight_of_shares(2) == 1);
  CHECK(sys::cpu_weight_of_shares(262'144) == 10'000);
  CHECK(sys::cpu_weight_of_shares(1'000'000) == 10'000);
}

TEST_CASE("a host without cgroups gets the null object") {
  auto cgroups = sys::make_null_cgroups();
  CHECK(cgroups->create("x").is_ok());
  CHECK(cgroups->usage("x").code() == base::Code::not_found);
}

TEST_CASE("kernel releases are understood, odd ones are zero") {
  CHECK(sys::parse_kernel_version("5.10.0-8-amd64").major == 5);
  CHECK(sys::parse_kernel_version("5.10.0-8-amd64").minor == 10);
  CHECK(sys::parse_kernel_version("").major == 0);
  CHECK(sys::parse_kernel_version("x.y").major == 0);
  CHECK(sys::parse_kernel_version("99999999999999.1").minor == 0);
  CHECK(sys::kernel_version().major >= 4);
}

TEST_CASE("features of this host") {
  CHECK(sys::has_file_system("proc"));
  CHECK_FALSE(sys::has_file_system("nosuchfs"));
  CHECK(sys::has_namespace("net"));
  CHECK_FALSE(sys::find_program("sh").empty());
  CHECK(sys::find_program("skiff-no-such-program").empty());
  CHECK_FALSE(sys::machine_architecture().empty());
}

TEST_CASE("work runs in another network namespace and errors come back") {
  auto path = sys::namespace_path(getpid(), "net");
  CHECK(sys::run_in_network_namespace("/nonexistent", [] { return base::Status(); }).code() ==
        base::Code::not_found);
  if (geteuid() != 0) return;
  auto status =
      sys::run_in_network_namespace(path, [] { return base::unavailable("from inside"); });
  CHECK(status.message() == "from inside");
}
