// Which pods a ReplicaSet creates or deletes, and its status. Pure.
#pragma once

#include <string>
#include <vector>

#include "controllers/common/controller.h"
#include "controllers/common/objects.h"

namespace skiff::controllers {

struct ReplicaPlan {
  std::int64_t create = 0;
  std::vector<JsonPtr> remove;
};

// `active` are the set's active pods. `related_on_node` counts, per pod of `active`, the active
// pods of the same owner on its node (same order).
ReplicaPlan plan_replicas(const Json& set, const std::vector<JsonPtr>& active,
                          const std::vector<int>& related_on_node, base::WallTime now);

// metadata and spec of a pod of the set.
Json make_replica_pod(const Json& set);

struct ReplicaFailure {
  std::string reason, message;  // reason empty: none
};
Json plan_replica_status(const Json& set, const std::vector<JsonPtr>& active,
                         const ReplicaFailure& failure, bool scaled, base::WallTime now,
                         const base::AgeOf& age_of);

}  // namespace skiff::controllers
