#include <skiff/base/strings.h>

#include "admission/limits.h"
#include "admission/plugin.h"

namespace skiff::admission {

using codec::Json;

namespace {

// spec.priority from the name of a class: the system's two classes, 0 without a name. Immutable.
class Priority final : public Plugin {
 public:
  base::Task<api::Outcome<>> mutate(const Attributes& a, Json& pod, const Json&) const override {
    if (!creates_pod(a)) co_return api::Done{};
    const Json& spec = std::as_const(pod)["spec"];
    auto name = spec["priorityClassName"].as_string();
    long value = 0;
    if (name == "system-node-critical") {
      value = kSystemNodeCritical;
    } else if (name == "system-cluster-critical") {
      value = kSystemClusterCritical;
    } else if (!name.empty()) {
      co_return api::forbidden_error(
          "", "pods", a.name, base::concat("no PriorityClass with name ", name, " was found"));
    }
    if (const Json* given = spec.find("priority"); given != nullptr && given->as_int() != value) {
      co_return api::forbidden_error(
          "", "pods", a.name,
          base::concat("the integer value of priority (", given->as_int(),
                       ") must not be provided in pod spec; priority admission controller "
                       "computed ",
                       value, " from the given PriorityClass name"));
    }
    const bool has_policy = !spec["preemptionPolicy"].as_string().empty();
    pod["spec"].set("priority", value);
    if (!has_policy) pod["spec"].set("preemptionPolicy", "PreemptLowerPriority");
    co_return api::Done{};
  }
};

}  // namespace

std::unique_ptr<Plugin> make_priority() { return std::make_unique<Priority>(); }

}  // namespace skiff::admission
