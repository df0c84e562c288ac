#include "agent/pod/config_cache.h"

#include <skiff/base/strings.h>

namespace skiff::agent {

base::Task<void> ConfigCache::run_entry(std::shared_ptr<Entry> entry) {
  co_await entry->informer->run(entry->cancel.token());
}

void ConfigCache::retain_one(const std::string& pod_uid, const std::string& namespace_name,
                             const std::string& name, bool is_secret) {
  auto& entry = entries_[Key(is_secret, base::concat(namespace_name, "/", name))];
  if (entry == nullptr) {
    entry = std::make_shared<Entry>();
    client::ListOptions options;
    options.namespace_name = namespace_name;
    options.field_selector = base::concat("metadata.name=", name);
    entry->informer = client::make_informer(
        client_, timers_, is_secret ? client::resources::secrets : client::resources::config_maps,
        options, {});
    std::weak_ptr<Entry> weak = entry;
    entry->informer->add_handler([this, weak](const auto&, const auto&) {
      auto self = weak.lock();
      if (self == nullptr || !on_change_) return;
      auto pods = self->pods;
      for (const auto& uid : pods) on_change_(uid);
    });
    entry->cancel = base::CancelSource::child_of(scope_.token());
    scope_.spawn(run_entry(entry));
  }
  entry->pods.insert(pod_uid);
}

void ConfigCache::retain(const std::string& pod_uid, const std::string& namespace_name,
                         const ConfigNames& names) {
  for (const auto& name : names.config_maps) retain_one(pod_uid, namespace_name, name, false);
  for (const auto& name : names.secrets) retain_one(pod_uid, namespace_name, name, true);
}

void ConfigCache::release(const std::string& pod_uid) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    it->second->pods.erase(pod_uid);
    if (!it->second->pods.empty()) {
      ++it;
      continue;
    }
    it->second->cancel.cancel();
    it = entries_.erase(it);
  }
}

base::Task<base::Status> ConfigCache::fetch_one(
    Key key, std::map<std::string, codec::Json, std::less<>>* out, std::string name,
    base::CancelToken cancel) {
  auto it = entries_.find(key);
  if (it == entries_.end()) co_return base::cancelled("the pod is gone");
  auto entry = it->second;
  bool synced = co_await entry->informer->wait_synced(cancel);
  if (!synced) co_return base::cancelled("the pod is being stopped");
  auto object = entry->informer->get(key.second);
  if (object.empty()) co_return base::Status();
  auto tree = object.parse();
  if (!tree) co_return tree.status();
  (*out)[name] = std::move(*tree);
  co_return base::Status();
}

base::Task<base::Result<ConfigSources>> ConfigCache::fetch(std::string namespace_name,
                                                           ConfigNames names,
                                                           base::CancelToken cancel) {
  ConfigSources sources;
  for (const auto& name : names.config_maps) {
    Key key(false, base::concat(namespace_name, "/", name));
    auto status = co_await fetch_one(key, &sources.config_maps, name, cancel);
    if (!status.is_ok()) co_return status;
  }
  for (const auto& name : names.secrets) {
    Key key(true, base::concat(namespace_name, "/", name));
    auto status = co_await fetch_one(key, &sources.secrets, name, cancel);
    if (!status.is_ok()) co_return status;
  }
  co_return sources;
}

base::Task<void> ConfigCache::stop() {
  scope_.cancel();
  co_await scope_.join();
  entries_.clear();
}

}  // namespace skiff::agent
