// What a delete does to an object: ends it, or marks it. Pure.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/base/clock.h>
#include <skiff/codec/json.h>
#include <skiff/registry/registry.h>

#include <cstdint>
#include <optional>

namespace skiff::registry {

struct DeletePlan {
  enum class Action : unsigned char { remove, update, nothing };
  Action action = Action::nothing;
  codec::Json object;  // update: what to store
};

// The grace period of a kind that ends gracefully: nullopt for all others.
using GracePeriod = std::optional<std::int64_t> (*)(const codec::Json& live,
                                                    std::optional<std::int64_t> asked);

// Grace of pods: the asked one, else the pod's; 0 when no node runs it or it has ended.
std::optional<std::int64_t> pod_grace_period(const codec::Json& live,
                                             std::optional<std::int64_t> asked);

// 409 when a precondition does not hold.
api::Outcome<> check_preconditions(const Scope& scope, const codec::Json& live,
                                   const DeleteOptions& options);

DeletePlan plan_delete(const codec::Json& live, const DeleteOptions& options, GracePeriod grace,
                       bool is_namespace, base::WallTime now);

}  // namespace skiff::registry
