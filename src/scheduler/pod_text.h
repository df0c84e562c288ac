// What the scheduler reads of objects without a tree of the whole. Pure.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/summary.h>
#include <skiff/codec/json.h>

#include <initializer_list>
#include <string_view>

namespace skiff::scheduler {

// Whether an object had this part before, too; `path` leads to a small part of it.
bool is_same_at(const api::StoredObject& before, const codec::Json& after,
                std::initializer_list<std::string_view> path);

// Whether its status says that it is gated.
bool is_marked_gated(const api::StoredObject& pod);

// What placement looks at: names, labels and spec. Managed fields, annotations and status are most
// of a pod.
codec::Json placement_part(const api::StoredObject& pod, const api::ObjectSummary& summary);

}  // namespace skiff::scheduler
