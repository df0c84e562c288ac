#include "runtime_fixture.h"

#include <skiff/base/strings.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include <poll.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>

namespace skiff::runtime_test {

using base::concat;

bool can_run_containers() {
  return geteuid() == 0 && !sys::find_program("runc").empty() && sys::path_exists("/bin/busybox") &&
         sys::make_cgroups()->mode() != sys::CgroupMode::none;
}

RuntimeFixture::RuntimeFixture() {
  static int count = 0;
  cgroup_parent = concat("skiff-test-", getpid(), "-", count++);
  write_file(folder / "busybox.tar",
             make_busybox_archive("busybox:test", R"("Cmd":["/bin/sh"],"Env":["FROM=image"])"));
  auto service = runtime::make_image_service({folder / "data", ""});
  REQUIRE(service.is_ok());
  images = std::move(*service);
  auto imported = images->import(folder / "busybox.tar");
  REQUIRE(imported.is_ok());
  image_id = imported->at(0).id;
  REQUIRE(sys::make_folders(folder / "logs").is_ok());
  restart();
}

void RuntimeFixture::restart() {
  runtime.reset();
  runtime::RuntimeOptions options;
  options.data_dir = folder / "data";
  options.runtime_dir = folder / "run";
  options.cgroup_parent = cgroup_parent;
  auto made = runtime::make_runtime(options, *images);
  INFO(made.status().to_string());
  REQUIRE(made.is_ok());
  runtime = std::move(*made);
  runtime->set_exit_callback([this](const std::string& uid, const std::string& id) {
    std::lock_guard lock(mutex_);
    exits_.emplace_back(uid, id);
    changed_.notify_all();
  });
}

RuntimeFixture::~RuntimeFixture() {
  if (runtime == nullptr) restart();
  if (auto adopted = runtime->adopt(); adopted.is_ok())
    for (const auto& pod : adopted->pods) CHECK(runtime->remove_pod(pod.uid).is_ok());
  auto cgroups = sys::make_cgroups();
  CHECK(sys::kill_cgroup(*cgroups, cgroup_parent, 5000).is_ok());
  CHECK(cgroups->remove(cgroup_parent).is_ok());
  CHECK(sys::list_folder(folder / "run/pods")->empty());
  CHECK(sys::list_folder(folder / "run/bundles")->empty());
  CHECK(sys::list_folder(folder / "data/snapshots/c")->empty());
}

runtime::PodOptions RuntimeFixture::pod_options(const std::string& uid) const {
  runtime::PodOptions options;
  options.uid = uid;
  options.name = uid;
  options.namespace_name = "default";
  options.hostname = "host-" + uid;
  options.cgroup_parent = "burstable/pod" + uid;
  return options;
}

runtime::PodSandbox RuntimeFixture::create_pod(const std::string& uid) {
  auto pod = runtime->create_pod(pod_options(uid));
  INFO(pod.status().to_string());
  REQUIRE(pod.is_ok());
  return *pod;
}

runtime::ContainerOptions RuntimeFixture::container_options(const std::string& id,
                                                            const std::string& pod_uid,
                                                            const std::string& script) const {
  runtime::ContainerOptions options;
  options.id = id;
  options.pod_uid = pod_uid;
  options.name = id;
  options.image_id = image_id;
  options.command = {"/bin/sh", "-c", script};
  options.log_path = folder / concat("logs/", id, ".log");
  return options;
}

runtime::ContainerStatus RuntimeFixture::run(const runtime::ContainerOptions& options) {
  auto created = runtime->create_container(options);
  INFO(created.status().to_string());
  REQUIRE(created.is_ok());
  auto started = runtime->start_container(options.id);
  INFO(started.to_string());
  REQUIRE(started.is_ok());
  return *runtime->container(options.id);
}

runtime::ContainerStatus RuntimeFixture::wait_exit(const std::string& id) {
  std::unique_lock lock(mutex_);
  bool ended = changed_.wait_for(lock, std::chrono::seconds(20), [&] {
    return std::any_of(exits_.begin(), exits_.end(),
                       [&](const auto& exit) { return exit.second == id; });
  });
  CHECK(ended);
  auto status = runtime->container(id);
  REQUIRE(status.is_ok());
  CHECK(status->state == runtime::ContainerState::exited);
  return *status;
}

void RuntimeFixture::wait_shim_end(const std::string& uid) {
  std::unique_lock lock(mutex_);
  CHECK(changed_.wait_for(lock, std::chrono::seconds(20), [&] {
    return std::find(exits_.begin(), exits_.end(), std::pair(uid, std::string())) != exits_.end();
  }));
}

std::string RuntimeFixture::raw_log_of(const std::string& id) const {
  return sys::read_file(folder / concat("logs/", id, ".log"), 64u << 20).value_or("");
}

std::string RuntimeFixture::log_of(const std::string& id) const {
  std::string out;
  auto text = raw_log_of(id);
  for (auto line : base::split(text, '\n')) {
    auto fields = base::split(line, ' ');
    if (fields.size() < 4) continue;
    if (!out.empty()) out += '\n';
    out += line.substr(static_cast<std::size_t>(fields[3].data() - line.data()));
  }
  return out;
}

bool RuntimeFixture::wait_log(const std::string& id, const std::string& text) const {
  for (int i = 0; i < 1000; ++i) {
    if (log_of(id).find(text) != std::string::npos) return true;
    poll(nullptr, 0, 10);
  }
  return false;
}

std::string read_until(int fd, const std::string& text) {
  std::string out;
  char buffer[4096];
  while (text.empty() || out.find(text) == std::string::npos) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, 10'000) <= 0) break;
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

}  // namespace skiff::runtime_test
