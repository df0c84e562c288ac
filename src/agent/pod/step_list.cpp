// The order in which a pod comes up on the node. After these, plan_actions starts init containers
// and sidecars one by one, then the containers; pod_worker_stop takes them down.
#include "agent/pod/pod_worker.h"

namespace skiff::agent {

const std::vector<PreparationStep>& step_list() {
  static const std::vector<PreparationStep> steps = {
      // Kept when a later step fails: what is in an emptyDir lives as long as the pod, also when
      // its sandbox is made anew.
      {"volumes", &PodWorker::step_volumes, &PodWorker::undo_nothing},
      {"sandbox", &PodWorker::step_sandbox, &PodWorker::undo_sandbox},
      {"network", &PodWorker::step_network, &PodWorker::undo_network},
      {"files in /etc", &PodWorker::step_etc_files, &PodWorker::undo_nothing},
  };
  return steps;
}

}  // namespace skiff::agent
