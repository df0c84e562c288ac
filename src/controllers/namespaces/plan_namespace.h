// The status of a namespace that is being deleted. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controllers/common/objects.h"

namespace skiff::controllers {

// What one round of deletions found.
struct NamespaceContent {
  std::map<std::string, int> remaining;   // resource ("pods", "deployments.apps") to count
  std::map<std::string, int> finalizers;  // of what remains
  std::vector<std::string> failures;      // sentences
};

// status with phase Terminating and upstream's five conditions.
Json plan_namespace_status(const Json& object, const NamespaceContent& content, base::WallTime now);

}  // namespace skiff::controllers
