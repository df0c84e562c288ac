// The pod that fills more of the disk than it may is evicted, as the kubelet does it.
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/pod/pod_worker.h"
#include "agent/volumes/volume_usage.h"

namespace skiff::agent {

StorageFolders PodWorker::storage_folders() const {
  StorageFolders folders{context_.pod_dir(uid_), {}};
  for (const auto& container : record_.containers) {
    if (!container.is_running()) continue;
    std::string log = log_path(context_.options.data_dir, record_.pod, container.name, 0);
    folders.containers[container.name] = {
        context_.options.runtime->writable_folder(container.current->status.id),
        log.substr(0, log.rfind('/'))};
  }
  return folders;
}

base::Task<void> PodWorker::watch_storage(base::CancelToken cancel) {
  const StorageLimits limits = plan_storage_limits(record_.pod);
  if (limits.empty()) co_return;
  for (;;) {
    bool slept = co_await base::sleep(context_.timers(), kStorageInterval, cancel);
    if (!slept) co_return;
    if (machine_.state() != PodPhaseState::running) continue;
    auto look = [folders = storage_folders(), limits] {
      return find_storage_excess(folders, limits);
    };
    auto too_large = co_await loop::run_blocking(*context_.options.work, std::move(look));
    if (!too_large || cancel.is_cancelled()) continue;
    record_.is_evicted = true;
    record_.failed_reason = "Evicted";
    record_.failed_message = *too_large;
    starting_.cancel();
    changed_.notify();
    co_return;
  }
}

}  // namespace skiff::agent
