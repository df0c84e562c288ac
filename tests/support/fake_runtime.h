// A runtime, images and a pod network in memory, on virtual time. What a "process" does is a
// Program that the test gives per container.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/net/pod_network.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skiff::test {

struct Program {
  std::optional<base::Duration> runs_for;  // none: until it is stopped
  int exit_code = 0;
  bool ends_after_first_look = false;  // running for who asks first, ended right after
  bool ignores_term = false;
  base::Duration stops_after{0};  // after SIGTERM
  int term_exit_code = 143;
};

// Lives longer than the agents of a test: what runs in it goes on. Thread-compatible.
class FakeRuntime final : public runtime::Runtime {
 public:
  explicit FakeRuntime(base::Timers& timers) : timers_(timers) {}
  ~FakeRuntime() override;

  std::function<Program(const runtime::ContainerOptions&)> program;
  // Asked before every call that changes something, and adopt() ("create_pod", …); not ok: the call
  // fails so.
  std::function<base::Status(std::string_view call, const std::string& id)> fault;
  // Told of what becomes of containers. Killed is what runs when it is signalled, or its pod is
  // removed.
  enum class Moment : unsigned char { started, killed, ended };
  std::function<void(Moment moment, const runtime::ContainerStatus& container)> seen;

  // The supervisor of a pod ends, with all that runs in it.
  void lose_sandbox(const std::string& uid);
  // The host's power goes: whatever runs is over and nobody is told. What is on disk of containers
  // is found again, of their sandboxes it is not.
  void lose_power();
  // Another disk: nothing is found again.
  void wipe();
  // A process ends by itself.
  void end_process(const std::string& id, int exit_code);
  std::string id_of(const std::string& container_name) const;  // the latest; "" without
  int starts_of(const std::string& container_name) const;
  int pid_of(const std::string& container_name) const;
  std::size_t running() const;
  const runtime::ContainerOptions& options_of(const std::string& id) const;
  const std::map<std::string, runtime::PodSandbox>& pods() const { return pods_; }
  const std::map<std::string, runtime::ContainerStatus>& containers() const { return containers_; }
  std::vector<std::string> log;  // "start web", "signal web 15", …

  base::Result<Adopted> adopt() override;
  base::Result<runtime::PodSandbox> create_pod(const runtime::PodOptions& options) override;
  base::Status remove_pod(const std::string& uid) override;
  base::Result<runtime::PodSandbox> pod(const std::string& uid) override;
  base::Result<runtime::ContainerStatus> create_container(
      const runtime::ContainerOptions& options) override;
  base::Status start_container(const std::string& id) override;
  base::Status signal_container(const std::string& id, int signal_number) override;
  base::Status remove_container(const std::string& id) override;
  base::Result<runtime::ContainerStatus> container(const std::string& id) override;
  base::Status update_resources(const std::string& id,
                                const runtime::Resources& resources) override;
  base::Result<runtime::ContainerUsage> usage(const std::string& id) override;
  std::string writable_folder(const std::string& id) const override { return "/nonexistent/" + id; }
  base::Result<std::unique_ptr<runtime::ExecSession>> exec(
      const runtime::ExecOptions& options) override;
  base::Result<runtime::AttachSession> attach(const std::string& id) override;
  void set_exit_callback(ExitCallback callback) override { exited_ = std::move(callback); }

 private:
  base::Status check(std::string_view call, const std::string& id);
  void finish(const std::string& id, int exit_code);
  void tell(Moment moment, const runtime::ContainerStatus& container) const;

  base::Timers& timers_;
  std::map<std::string, runtime::PodSandbox> pods_;
  std::map<std::string, runtime::ContainerStatus> containers_;
  std::map<std::string, runtime::ContainerOptions> options_;
  std::map<std::string, Program> programs_;
  std::map<std::string, int> starts_;
  std::set<base::TimerId> timer_ids_;
  ExitCallback exited_;
  int next_pid_ = 1000;
};

class FakeImages final : public runtime::ImageService {
 public:
  std::map<std::string, runtime::Image> images;  // by name as written in the pod
  // What a registry has: a pull copies from here. Absent: not found.
  std::map<std::string, runtime::Image> registry;
  base::Status pull_error;  // when not ok, every pull fails with it
  int pulls = 0;
  std::vector<runtime::RegistryAuth> last_credentials;

  void add(const std::string& name);
  base::Result<runtime::Image> find(std::string_view reference_or_id) override;
  std::vector<runtime::Image> list() override;
  base::Result<runtime::Image> pull(std::string_view reference,
                                    const std::vector<runtime::RegistryAuth>& credentials,
                                    base::CancelToken cancel) override;
  base::Result<std::vector<runtime::Image>> import(const std::string& path) override;
  base::Status remove(std::string_view id) override;
  std::int64_t bytes_used() const override { return 0; }
};

class FakePodNetwork final : public net::PodNetwork {
 public:
  std::map<std::string, net::PodAddress> addresses;
  base::Status attach_error;
  base::Result<net::PodAddress> attach(const std::string& pod_uid,
                                       const std::string& network_namespace_path) override;
  base::Status detach(const std::string& pod_uid) override;
  std::vector<std::pair<std::string, net::PodAddress>> attached() override;

 private:
  int next_ = 2;
};

}  // namespace skiff::test
