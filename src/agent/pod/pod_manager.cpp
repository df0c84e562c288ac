#include "agent/pod/pod_manager.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

namespace {
constexpr std::size_t kFinishedBytesMax = 1u << 20;
}

PodManager::PodManager(const AgentContext& context, PodWorkerHooks& hooks)
    : context_(context), hooks_(hooks), scope_(*context.options.executor) {}

void PodManager::set_adopted(runtime::Runtime::Adopted adopted,
                             std::vector<std::pair<std::string, net::PodAddress>> addresses) {
  for (auto& sandbox : adopted.pods) {
    std::string uid = sandbox.uid;
    adopted_[uid].sandbox = std::move(sandbox);
  }
  for (auto& container : adopted.containers) {
    std::string uid = container.pod_uid;
    adopted_[uid].containers.push_back(std::move(container));
  }
  for (auto& [uid, address] : addresses) adopted_[uid].pod_ip = address.ipv4;
}

PodAdoption PodManager::take_adoption(const std::string& uid) {
  PodAdoption adoption;
  auto it = adopted_.find(uid);
  if (it != adopted_.end()) {
    adoption = std::move(it->second);
    adopted_.erase(it);
  }
  // A few hundred bytes, once per pod.
  auto text = sys::read_file(context_.pod_dir(uid) + "/finished.json", kFinishedBytesMax);
  if (text) {
    auto status = codec::parse_json(*text);
    if (status && status->is_object()) adoption.finished_status = std::move(*status);
  }
  return adoption;
}

void PodManager::add(codec::Json pod) {
  std::string uid(pod["metadata"]["uid"].as_string());
  auto adoption = take_adoption(uid);
  workers_[uid] =
      std::make_unique<PodWorker>(context_, hooks_, std::move(pod), std::move(adoption));
  scope_.spawn(run_worker(uid));
}

base::Task<void> PodManager::run_worker(std::string uid) {
  auto it = workers_.find(uid);
  SKIFF_ASSERT(it != workers_.end());
  co_await it->second->run(scope_.token());
  workers_.erase(uid);
}

void PodManager::on_pod(const api::StoredObject& before, const api::StoredObject& after) {
  std::string old_uid = before.empty() ? std::string() : std::string(before.uid());
  std::string new_uid = after.empty() ? std::string() : std::string(after.uid());
  if (!old_uid.empty() && old_uid != new_uid)
    if (auto* worker = find(old_uid)) worker->set_removed();
  if (new_uid.empty() || scope_.token().is_cancelled()) return;
  auto pod = after.parse();
  if (!pod) {
    base::log_warning("a pod could not be read", {{"uid", new_uid}, {"error", pod.status()}});
    return;
  }
  if (auto* worker = find(new_uid)) {
    worker->set_pod(std::move(*pod));
  } else {
    add(std::move(*pod));
  }
}

base::Task<void> PodManager::remove_orphans(base::CancelToken cancel) {
  std::string pods_dir = context_.options.data_dir + "/pods";
  auto list = [pods_dir] { return sys::list_folder(pods_dir); };
  auto names = co_await loop::run_blocking(*context_.options.work, std::move(list));
  std::set<std::string> orphans;
  for (const auto& entry : adopted_) orphans.insert(entry.first);
  if (names) orphans.insert(names->begin(), names->end());
  adopted_.clear();
  for (auto it = orphans.begin(); it != orphans.end();)
    it = find(*it) != nullptr ? orphans.erase(it) : std::next(it);
  while (!orphans.empty() && !cancel.is_cancelled()) {
    std::set<std::string> left;
    for (const auto& uid : orphans) {
      auto removing = remove_orphan(uid);
      auto removed = co_await std::move(removing);
      if (!removed.is_ok()) left.insert(uid);
    }
    orphans = std::move(left);
    if (!orphans.empty()) co_await base::sleep(context_.timers(), kConfigRetry, cancel);
  }
}

base::Task<base::Status> PodManager::remove_orphan(std::string uid) {
  base::log_info("removing what is left of a pod that is gone", {{"uid", uid}});
  std::string logs = context_.options.data_dir + "/log/pods";
  VolumeFolders folders{context_.pod_dir(uid), context_.volatile_dir(uid)};
  auto remove = [runtime = context_.options.runtime, network = hooks_.network, uid, logs,
                 folders]() -> base::Status {
    SKIFF_RETURN_IF_ERROR(runtime->remove_pod(uid));
    if (network != nullptr) SKIFF_RETURN_IF_ERROR(network->detach(uid));
    SKIFF_RETURN_IF_ERROR(tear_down_volumes(folders));
    if (auto entries = sys::list_folder(logs))
      for (const auto& entry : *entries)
        if (base::ends_with(entry, "_" + uid))
          SKIFF_RETURN_IF_ERROR(sys::remove_tree(logs + "/" + entry));
    return sys::remove_tree(folders.pod_dir);
  };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(remove));
  if (!status.is_ok())
    base::log_warning("what is left of a pod was not removed", {{"uid", uid}, {"error", status}});
  co_return status;
}

void PodManager::on_runtime_event(const std::string& pod_uid, const std::string& container_id) {
  if (auto* worker = find(pod_uid)) worker->on_runtime_event(container_id);
}

void PodManager::on_config_change(const std::string& pod_uid) {
  if (auto* worker = find(pod_uid)) worker->on_config_change();
}

void PodManager::on_node_address() {
  for (auto& entry : workers_) entry.second->on_node_address();
}

void PodManager::look_again() {
  for (auto& entry : workers_) entry.second->look_again();
}

PodWorker* PodManager::find(std::string_view uid) const {
  auto it = workers_.find(uid);
  return it == workers_.end() ? nullptr : it->second.get();
}

PodWorker* PodManager::find(std::string_view namespace_name, std::string_view name) const {
  for (const auto& entry : workers_) {
    const auto& metadata = entry.second->record().pod["metadata"];
    if (metadata["name"].as_string() == name && metadata["namespace"].as_string() == namespace_name)
      return entry.second.get();
  }
  return nullptr;
}

std::vector<const codec::Json*> PodManager::taken() const {
  std::vector<const codec::Json*> pods;
  for (const auto& [uid, worker] : workers_)
    if (worker->holds_resources()) pods.push_back(&worker->record().pod);
  return pods;
}

std::vector<const PodWorker*> PodManager::all() const {
  std::vector<const PodWorker*> out;
  for (const auto& entry : workers_) out.push_back(entry.second.get());
  return out;
}

base::Task<void> PodManager::stop() {
  scope_.cancel();
  co_await scope_.join();
  workers_.clear();
}

}  // namespace skiff::agent
