// The pod that fills more of the disk than its emptyDirs may is evicted, as the kubelet does it.
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/pod/pod_worker.h"
#include "agent/volumes/volume_usage.h"

namespace skiff::agent {

base::Task<void> PodWorker::watch_volume_sizes(base::CancelToken cancel) {
  const std::vector<VolumeLimit> limits = plan_volume_limits(record_.pod);
  if (limits.empty()) co_return;
  for (;;) {
    bool slept = co_await base::sleep(context_.timers(), kVolumeSizeInterval, cancel);
    if (!slept) co_return;
    if (machine_.state() != PodPhaseState::running) continue;
    auto look = [folder = context_.pod_dir(uid_), limits] {
      return find_large_volume(folder, limits);
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
