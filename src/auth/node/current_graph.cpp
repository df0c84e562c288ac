#include <skiff/auth/nodes.h>

#include "auth/node/current_graph.h"

#include <mutex>

namespace skiff::auth {

bool CurrentGraph::is_current() const {
  const auto seen = seen_.load();
  return seen != kNever && seen >= source_.version();
}

void CurrentGraph::catch_up() const {
  if (is_current()) return;
  std::lock_guard lock(mutex_);
  if (is_current()) return;
  if (const auto seen = seen_.load(); seen != kNever) {
    auto reached = source_.changes(seen, [&](std::string_view key, const api::StoredObject& pod) {
      if (pod.empty()) {
        graph_.remove(key);
      } else {
        graph_.put(key, pod);
      }
    });
    if (reached) {
      seen_.store(*reached);
      return;
    }
  }
  graph_.begin_scan();
  const auto reached = source_.scan(
      [&](std::string_view key, const api::StoredObject& pod) { graph_.put(key, pod); });
  graph_.end_scan();
  seen_.store(reached);
}

bool CurrentGraph::is_on(std::string_view node, std::string_view namespace_name,
                         std::string_view pod) const {
  catch_up();
  std::shared_lock lock(mutex_);
  return graph_.is_on(node, namespace_name, pod);
}

bool CurrentGraph::names(std::string_view node, api::PodReference kind,
                         std::string_view namespace_name, std::string_view name) const {
  catch_up();
  std::shared_lock lock(mutex_);
  return graph_.names(node, kind, namespace_name, name);
}

}  // namespace skiff::auth
