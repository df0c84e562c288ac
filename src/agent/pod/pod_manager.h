// The pods of this node: a worker for each, found by uid; and what is left of pods that are gone.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/informer.h>

#include "agent/pod/pod_worker.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skiff::agent {

// Loop-only. stop() before it is destroyed.
class PodManager {
 public:
  PodManager(const AgentContext& context, PodWorkerHooks& hooks);

  // What the runtime found at start, and the addresses that are on disk. Before the first pod.
  void set_adopted(runtime::Runtime::Adopted adopted,
                   std::vector<std::pair<std::string, net::PodAddress>> addresses);
  // From the informer.
  void on_pod(const api::StoredObject& before, const api::StoredObject& after);
  // Removes what belongs to no pod of the API; call once after the first list. Returns when nothing
  // of it is left, or when cancelled.
  base::Task<void> remove_orphans(base::CancelToken cancel);
  void on_runtime_event(const std::string& pod_uid, const std::string& container_id);
  void on_config_change(const std::string& pod_uid);
  void on_node_address();
  void look_again();
  base::Task<void> stop();

  PodWorker* find(std::string_view uid) const;
  PodWorker* find(std::string_view namespace_name, std::string_view name) const;
  std::vector<const PodWorker*> all() const;
  // Those that hold resources of the node; valid until the next call of anything.
  std::vector<const codec::Json*> taken() const;
  std::size_t size() const { return workers_.size(); }

 private:
  void add(codec::Json pod);
  base::Task<void> run_worker(std::string uid);
  PodAdoption take_adoption(const std::string& uid);
  base::Task<base::Status> remove_orphan(std::string uid);

  const AgentContext& context_;
  PodWorkerHooks& hooks_;
  base::TaskScope scope_;
  std::map<std::string, std::unique_ptr<PodWorker>, std::less<>> workers_;
  std::map<std::string, PodAdoption> adopted_;
};

}  // namespace skiff::agent
