// The rules of a ClusterRole that gathers those of others. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <memory>
#include <vector>

namespace skiff::controllers {

// The rules of all roles that the selectors of `role` match but itself, selector by selector, in
// the order of `roles` and without repeats.
codec::Json plan_aggregation(const codec::Json& role,
                             const std::vector<std::shared_ptr<const codec::Json>>& roles);

}  // namespace skiff::controllers
