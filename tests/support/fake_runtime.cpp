#include "support/fake_runtime.h"

#include <csignal>

namespace skiff::test {

using runtime::ContainerState;

FakeRuntime::~FakeRuntime() {
  for (auto id : timer_ids_) timers_.cancel_timer(id);
}

base::Status FakeRuntime::check(std::string_view call, const std::string& id) {
  if (!fault) return {};
  return fault(call, id);
}

void FakeRuntime::tell(Moment moment, const runtime::ContainerStatus& container) const {
  if (seen) seen(moment, container);
}

void FakeRuntime::finish(const std::string& id, int exit_code) {
  auto it = containers_.find(id);
  if (it == containers_.end() || it->second.state != ContainerState::running) return;
  auto& status = it->second;
  status.state = ContainerState::exited;
  status.exit_code = exit_code;
  status.reason = exit_code == 0 ? "Completed" : "Error";
  status.finished_at = timers_.clock().now();
  status.pid = 0;
  log.push_back("exit " + status.name + " " + std::to_string(exit_code));
  tell(Moment::ended, status);
  if (exited_) exited_(status.pod_uid, id);
}

void FakeRuntime::end_process(const std::string& id, int exit_code) { finish(id, exit_code); }

void FakeRuntime::lose_sandbox(const std::string& uid) {
  auto it = pods_.find(uid);
  if (it == pods_.end()) return;
  it->second.state = runtime::PodState::stopped;
  for (auto& [id, status] : containers_)
    if (status.pod_uid == uid && status.state == ContainerState::running) {
      status.state = ContainerState::exited;
      status.exit_code = 137;
      status.finished_at = timers_.clock().now();
      tell(Moment::ended, status);
    }
  if (exited_) exited_(uid, "");
}

void FakeRuntime::lose_power() {
  constexpr int kExitCodeOfTheLost = 255;
  exited_ = nullptr;
  pods_.clear();
  for (auto it = containers_.begin(); it != containers_.end();) {
    auto& status = it->second;
    if (status.state == ContainerState::created) {
      it = containers_.erase(it);
      continue;
    }
    if (status.state == ContainerState::running) {
      status.state = ContainerState::exited;
      status.exit_code = kExitCodeOfTheLost;
      status.finished_at = timers_.clock().now();
      status.pid = 0;
      tell(Moment::ended, status);
    }
    ++it;
  }
}

void FakeRuntime::wipe() {
  lose_power();
  containers_.clear();
  options_.clear();
  programs_.clear();
}

std::string FakeRuntime::id_of(const std::string& container_name) const {
  std::string found;
  int attempt = -1;
  for (const auto& [id, status] : containers_)
    if (status.name == container_name && status.attempt > attempt) {
      found = id;
      attempt = status.attempt;
    }
  return found;
}

int FakeRuntime::starts_of(const std::string& container_name) const {
  auto it = starts_.find(container_name);
  return it == starts_.end() ? 0 : it->second;
}

int FakeRuntime::pid_of(const std::string& container_name) const {
  auto it = containers_.find(id_of(container_name));
  return it == containers_.end() ? 0 : it->second.pid;
}

std::size_t FakeRuntime::running() const {
  std::size_t count = 0;
  for (const auto& entry : containers_)
    if (entry.second.state == ContainerState::running) ++count;
  return count;
}

const runtime::ContainerOptions& FakeRuntime::options_of(const std::string& id) const {
  return options_.at(id);
}

base::Result<runtime::Runtime::Adopted> FakeRuntime::adopt() {
  SKIFF_RETURN_IF_ERROR(check("adopt", ""));
  Adopted adopted;
  for (const auto& entry : pods_) adopted.pods.push_back(entry.second);
  for (const auto& entry : containers_) adopted.containers.push_back(entry.second);
  return adopted;
}

base::Result<runtime::PodSandbox> FakeRuntime::create_pod(const runtime::PodOptions& options) {
  SKIFF_RETURN_IF_ERROR(check("create_pod", options.uid));
  if (pods_.count(options.uid) != 0)
    return base::Status(base::Code::already_exists, "pod " + options.uid + " exists");
  log.push_back("sandbox " + options.name);
  runtime::PodSandbox sandbox;
  sandbox.uid = options.uid;
  sandbox.network_namespace_path = "/proc/1/ns/net";
  sandbox.shim_pid = next_pid_++;
  sandbox.created_at = timers_.clock().now();
  pods_[options.uid] = sandbox;
  return sandbox;
}

base::Status FakeRuntime::remove_pod(const std::string& uid) {
  SKIFF_RETURN_IF_ERROR(check("remove_pod", uid));
  if (pods_.erase(uid) != 0) log.push_back("remove sandbox");
  for (auto it = containers_.begin(); it != containers_.end();) {
    if (it->second.pod_uid != uid) {
      ++it;
      continue;
    }
    if (it->second.state == ContainerState::running) {
      tell(Moment::killed, it->second);
      it->second.state = ContainerState::exited;
      it->second.exit_code = 137;
      tell(Moment::ended, it->second);
    }
    it = containers_.erase(it);
  }
  return {};
}

base::Result<runtime::PodSandbox> FakeRuntime::pod(const std::string& uid) {
  auto it = pods_.find(uid);
  if (it == pods_.end()) return base::not_found("no sandbox " + uid);
  return it->second;
}

base::Result<runtime::ContainerStatus> FakeRuntime::create_container(
    const runtime::ContainerOptions& options) {
  SKIFF_RETURN_IF_ERROR(check("create_container", options.name));
  auto sandbox = pods_.find(options.pod_uid);
  if (sandbox == pods_.end()) return base::not_found("no sandbox");
  if (sandbox->second.state != runtime::PodState::running)
    return base::unavailable("the sandbox has ended");
  runtime::ContainerStatus status;
  status.id = options.id;
  status.pod_uid = options.pod_uid;
  status.name = options.name;
  status.attempt = options.attempt;
  status.image_id = options.image_id;
  status.created_at = timers_.clock().now();
  status.stop_signal = "SIGTERM";
  containers_[options.id] = status;
  options_[options.id] = options;
  programs_[options.id] = program ? program(options) : Program{};
  return status;
}

base::Status FakeRuntime::start_container(const std::string& id) {
  auto it = containers_.find(id);
  if (it == containers_.end()) return base::not_found("no container " + id);
  SKIFF_RETURN_IF_ERROR(check("start_container", it->second.name));
  auto& status = it->second;
  if (status.state != ContainerState::created) return base::invalid_argument("it has started");
  status.state = ContainerState::running;
  status.pid = next_pid_++;
  status.started_at = timers_.clock().now();
  ++starts_[status.name];
  log.push_back("start " + status.name);
  tell(Moment::started, status);
  const auto& plan = programs_[id];
  if (plan.runs_for) {
    int exit_code = plan.exit_code;
    timer_ids_.insert(
        timers_.start_timer(*plan.runs_for, [this, id, exit_code] { finish(id, exit_code); }));
  }
  return {};
}

base::Status FakeRuntime::signal_container(const std::string& id, int signal_number) {
  auto it = containers_.find(id);
  if (it == containers_.end()) return base::not_found("no container " + id);
  SKIFF_RETURN_IF_ERROR(check("signal_container", it->second.name));
  if (it->second.state != ContainerState::running) return base::not_found("not running");
  log.push_back("signal " + it->second.name + " " + std::to_string(signal_number));
  tell(Moment::killed, it->second);
  const auto& plan = programs_[id];
  if (signal_number == SIGKILL) {
    finish(id, 137);
  } else if (!plan.ignores_term) {
    int exit_code = plan.term_exit_code;
    timer_ids_.insert(
        timers_.start_timer(plan.stops_after, [this, id, exit_code] { finish(id, exit_code); }));
  }
  return {};
}

base::Status FakeRuntime::remove_container(const std::string& id) {
  auto it = containers_.find(id);
  if (it == containers_.end()) return base::not_found("no container " + id);
  SKIFF_RETURN_IF_ERROR(check("remove_container", it->second.name));
  if (it->second.state == ContainerState::running) return base::invalid_argument("it runs");
  containers_.erase(it);
  return {};
}

base::Result<runtime::ContainerStatus> FakeRuntime::container(const std::string& id) {
  auto it = containers_.find(id);
  if (it == containers_.end()) return base::not_found("no container " + id);
  runtime::ContainerStatus status = it->second;
  if (programs_[id].ends_after_first_look) finish(id, programs_[id].exit_code);
  return status;
}

base::Status FakeRuntime::update_resources(const std::string&, const runtime::Resources&) {
  return {};
}

base::Result<runtime::ContainerUsage> FakeRuntime::usage(const std::string& id) {
  if (containers_.count(id) == 0) return base::not_found("no container " + id);
  return runtime::ContainerUsage{1'000'000, 4096, 4096, 1};
}

base::Result<std::unique_ptr<runtime::ExecSession>> FakeRuntime::exec(const runtime::ExecOptions&) {
  return base::Status(base::Code::unimplemented, "no exec in memory");
}

base::Result<runtime::AttachSession> FakeRuntime::attach(const std::string&) {
  return base::Status(base::Code::unimplemented, "no attach in memory");
}

void FakeImages::add(const std::string& name) {
  runtime::Image image;
  image.id = "sha256:" + name;
  image.names = {name};
  image.digests = {name + "@sha256:1"};
  images[name] = image;
}

base::Result<runtime::Image> FakeImages::find(std::string_view reference_or_id) {
  auto it = images.find(std::string(reference_or_id));
  if (it == images.end()) return base::not_found("no such image");
  return it->second;
}

std::vector<runtime::Image> FakeImages::list() {
  std::vector<runtime::Image> out;
  for (const auto& entry : images) out.push_back(entry.second);
  return out;
}

base::Result<runtime::Image> FakeImages::pull(std::string_view reference,
                                              const std::vector<runtime::RegistryAuth>& credentials,
                                              base::CancelToken cancel) {
  ++pulls;
  last_credentials = credentials;
  if (cancel.is_cancelled()) return base::cancelled("pull cancelled");
  if (!pull_error.is_ok()) return pull_error;
  auto it = registry.find(std::string(reference));
  if (it == registry.end()) return base::not_found("manifest unknown");
  images[it->first] = it->second;
  return it->second;
}

base::Result<std::vector<runtime::Image>> FakeImages::import(const std::string&) {
  return base::Status(base::Code::unimplemented, "no import in memory");
}

base::Status FakeImages::remove(std::string_view id) {
  for (auto it = images.begin(); it != images.end(); ++it) {
    if (it->second.id != id) continue;
    images.erase(it);
    return {};
  }
  return base::not_found("no such image");
}

base::Result<net::PodAddress> FakePodNetwork::attach(const std::string& pod_uid,
                                                     const std::string&) {
  if (!attach_error.is_ok()) return attach_error;
  auto it = addresses.find(pod_uid);
  if (it == addresses.end())
    it = addresses.emplace(pod_uid, net::PodAddress{"10.42.0." + std::to_string(next_++), "veth"})
             .first;
  return it->second;
}

base::Status FakePodNetwork::detach(const std::string& pod_uid) {
  addresses.erase(pod_uid);
  return {};
}

std::vector<std::pair<std::string, net::PodAddress>> FakePodNetwork::attached() {
  return {addresses.begin(), addresses.end()};
}

}  // namespace skiff::test
