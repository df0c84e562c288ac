// The Runtime of this host.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/process.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/exit_watcher.h"
#include "runtime/image/store.h"
#include "runtime/oci/oci_runtime.h"
#include "runtime/oci/plan_oci_spec.h"
#include "runtime/records.h"
#include "runtime/shim_client.h"

namespace skiff::runtime {

// Thread-safe; calls about one pod must not overlap, except exec and attach. `mutex_` guards the
// two maps and is never held across a system call that waits.
class LocalRuntime final : public Runtime {
 public:
  LocalRuntime(const RuntimeOptions& options, ImageService& images);
  ~LocalRuntime() override;

  base::Status open();

  base::Result<Adopted> adopt() override;
  base::Result<PodSandbox> create_pod(const PodOptions& options) override;
  base::Status remove_pod(const std::string& uid) override;
  base::Result<PodSandbox> pod(const std::string& uid) override;
  base::Result<ContainerStatus> create_container(const ContainerOptions& options) override;
  base::Status start_container(const std::string& id) override;
  base::Status signal_container(const std::string& id, int signal_number) override;
  base::Status remove_container(const std::string& id) override;
  base::Result<ContainerStatus> container(const std::string& id) override;
  base::Status update_resources(const std::string& id, const Resources& resources) override;
  base::Result<ContainerUsage> usage(const std::string& id) override;
  std::string writable_folder(const std::string& id) const override {
    return store_.snapshots_folder() + "/" + id + "/upper";
  }
  base::Result<std::unique_ptr<ExecSession>> exec(const ExecOptions& options) override;
  base::Result<AttachSession> attach(const std::string& id) override;
  void set_exit_callback(ExitCallback callback) override;

 private:
  struct Container {
    ContainerRecord record;
    sys::ProcessId process;  // pid 0: the OCI runtime is still making it
    std::optional<base::WallTime> started_at;
    std::optional<ExitRecord> exit;
  };

  // Pods (local_runtime_pods.cpp).
  base::Status start_shim(const PodOptions& options, PodRecord& record);
  base::Status set_up_pod(const PodOptions& options, PodRecord& record);
  base::Status end_shim(const PodRecord& record);
  base::Status tear_down_pod(const PodRecord& record);
  base::Result<PodRecord> find_pod(const std::string& uid);
  PodSandbox sandbox_of(const PodRecord& record) const;
  base::Status adopt_pod(const std::string& uid);
  base::Status adopt_container(const std::string& id);
  void remove_orphans();
  std::string pod_folder(const std::string& uid) const;
  std::string pod_record_path(const std::string& uid) const;
  std::string pod_cgroup(const PodOptions& options) const;
  // Of the group above the pod's, after pods have come or gone.
  void weigh_group(const PodOptions& options);

  // Containers (local_runtime_containers.cpp).
  base::Result<codec::Json> make_spec(const ContainerOptions& options, const PodRecord& pod,
                                      const ImageRecord& image, const std::string& root,
                                      const std::string& cgroup_path);
  base::Status run_create(const ContainerOptions& options, const Container& container);
  base::Result<Container> find_container(const std::string& id);
  base::Status discard_container(const std::string& id);
  base::Status kill_container(const Container& container);
  ContainerStatus status_of(const Container& container) const;
  void on_exit(const std::string& pod_uid, const std::string& id);
  void note_shim_end(const std::string& pod_uid);
  void note_lost(const std::string& id);
  bool load_exit(const std::string& id);
  std::string container_folder(const std::string& id) const;
  std::string bundle_folder(const std::string& id) const;
  std::string console_path();

  RuntimeOptions options_;
  ImageService& images_;
  ImageStore store_;
  OciRuntime oci_;
  std::unique_ptr<sys::Cgroups> cgroups_;
  std::string shim_path_, state_dir_;
  CapabilitySet available_capabilities_ = 0;
  int oom_score_adj_min_ = 0;

  std::mutex mutex_;
  std::map<std::string, PodRecord> pods_;
  std::map<std::string, Container> containers_;
  ExitCallback exit_callback_;
  std::atomic<unsigned> counter_{0};
  std::unique_ptr<ExitWatcher> watcher_;
};

// What of them are limits of a control group.
sys::CgroupLimits cgroup_limits(const Resources& resources);

// Host devices: all of them, or those at `paths`. Errors: invalid_argument (no device).
base::Result<std::vector<HostDevice>> list_devices(const std::vector<std::string>& paths, bool all);

}  // namespace skiff::runtime
