// The rules of a ClusterRole that gathers those of others. Pure.
#pragma once

#include <skiff/api/object.h>
#include <skiff/codec/json.h>

#include <vector>

namespace skiff::controllers {

// The rules of all roles that the selectors of `role` match but itself, selector by selector, in
// the order of `roles` and without repeats. Only roles that match become trees.
codec::Json plan_aggregation(const codec::Json& role, const std::vector<api::StoredObject>& roles);

}  // namespace skiff::controllers
