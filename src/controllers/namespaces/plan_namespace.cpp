#include "controllers/namespaces/plan_namespace.h"

#include <skiff/base/strings.h>

namespace skiff::controllers {

namespace {

std::string list_counts(const std::map<std::string, int>& counts, std::string_view before,
                        std::string_view after) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts)
    parts.push_back(base::concat(name, before, count, after));
  return base::join(parts, ", ");
}

}  // namespace

Json plan_namespace_status(const Json& object, const NamespaceContent& content,
                           base::WallTime now) {
  Json status = object["status"];
  status.set("phase", "Terminating");
  Json& conditions = status["conditions"];
  set_condition(conditions, "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
                "All resources successfully discovered", now);
  set_condition(conditions, "NamespaceDeletionGroupVersionParsingFailure", "False",
                "ParsedGroupVersions", "All legacy kube types successfully parsed", now);
  if (content.failures.empty())
    set_condition(conditions, "NamespaceDeletionContentFailure", "False", "ContentDeleted",
                  "All content successfully deleted, may be waiting on finalization", now);
  else
    set_condition(conditions, "NamespaceDeletionContentFailure", "True", "ContentDeletionFailed",
                  base::concat("Failed to delete all resource types, ", content.failures.size(),
                               " remaining: ", base::join(content.failures, ", ")),
                  now);
  if (content.remaining.empty())
    set_condition(conditions, "NamespaceContentRemaining", "False", "ContentRemoved",
                  "All content successfully removed", now);
  else
    set_condition(conditions, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                  base::concat("Some resources are remaining: ",
                               list_counts(content.remaining, " has ", " resource instances")),
                  now);
  if (content.finalizers.empty())
    set_condition(conditions, "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
                  "All content-preserving finalizers finished", now);
  else
    set_condition(conditions, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                  base::concat("Some content in the namespace has finalizers remaining: ",
                               list_counts(content.finalizers, " in ", " resource instances")),
                  now);
  return status;
}

}  // namespace skiff::controllers
