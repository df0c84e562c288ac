// How nodes are called as users: "system:node:<name>" in the group "system:nodes" (Kubernetes'
// node authorization mode).
#pragma once

#include <string_view>

namespace skiff::api {

inline constexpr std::string_view kNodeUserPrefix = "system:node:";
inline constexpr std::string_view kNodesGroup = "system:nodes";

}  // namespace skiff::api
