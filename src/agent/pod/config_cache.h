// ConfigMaps and Secrets that pods of this node use, one informer each, shared and counted.
#pragma once

#include <skiff/client/informer.h>

#include "agent/container/plan_env.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace skiff::agent {

// Loop-only. stop() before it is destroyed.
class ConfigCache {
 public:
  ConfigCache(client::Client& client, base::Executor& executor, base::Timers& timers)
      : client_(client), timers_(timers), scope_(executor) {}

  // Keeps the objects while the pod is here; idempotent. `on_change` is called when one changes.
  void retain(const std::string& pod_uid, const std::string& namespace_name,
              const ConfigNames& names);
  void release(const std::string& pod_uid);
  void set_on_change(std::function<void(const std::string& pod_uid)> on_change) {
    on_change_ = std::move(on_change);
  }
  // Waits until each was listed once; absent ones are left out. Errors: cancelled.
  base::Task<base::Result<ConfigSources>> fetch(std::string namespace_name, ConfigNames names,
                                                base::CancelToken cancel);
  base::Task<void> stop();
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::unique_ptr<client::Informer> informer;
    base::CancelSource cancel;
    std::set<std::string> pods;
    bool ended = false;
  };
  using Key = std::pair<bool, std::string>;  // is secret, "namespace/name"
  void retain_one(const std::string& pod_uid, const std::string& namespace_name,
                  const std::string& name, bool is_secret);
  base::Task<base::Status> fetch_one(Key key, std::map<std::string, codec::Json, std::less<>>* out,
                                     std::string name, base::CancelToken cancel);
  static base::Task<void> run_entry(std::shared_ptr<Entry> entry);

  client::Client& client_;
  base::Timers& timers_;
  base::TaskScope scope_;
  std::map<Key, std::shared_ptr<Entry>> entries_;
  std::function<void(const std::string&)> on_change_;
};

}  // namespace skiff::agent
