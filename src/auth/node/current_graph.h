// The graph as it is now.
#pragma once

#include <skiff/auth/nodes.h>

#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string_view>

#include "auth/node/node_graph.h"

namespace skiff::auth {

// Thread-safe. Whoever asks first after a change of a pod brings the graph up to it, so no decision
// lags behind an answered write, and nothing is done for changes that nobody asks about.
class CurrentGraph {
 public:
  explicit CurrentGraph(const PodSource& source) : source_(source) {}

  bool is_on(std::string_view node, std::string_view namespace_name, std::string_view pod) const;
  bool names(std::string_view node, api::PodReference kind, std::string_view namespace_name,
             std::string_view name) const;

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  bool is_current() const;
  void catch_up() const;

  const PodSource& source_;
  mutable std::shared_mutex mutex_;
  mutable NodeGraph graph_;                          // under mutex_
  mutable std::atomic<std::uint64_t> seen_{kNever};  // written under mutex_
};

}  // namespace skiff::auth
