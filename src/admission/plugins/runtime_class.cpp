#include <skiff/base/strings.h>

#include "admission/plugin.h"

namespace skiff::admission {

using codec::Json;

namespace {

// The kind RuntimeClass is not served: none that a pod names is there. Immutable.
class RuntimeClass final : public Plugin {
 public:
  base::Task<api::Outcome<>> validate(const Attributes& a, const Json& pod,
                                      const Json&) const override {
    if (!creates_pod(a)) co_return api::Done{};
    const Json& spec = pod["spec"];
    if (auto name = spec["runtimeClassName"].as_string(); !name.empty())
      co_return api::forbidden_error(
          "", "pods", a.name,
          base::concat("pod rejected: RuntimeClass ", base::quote(name), " not found"));
    if (!spec["overhead"].empty())
      co_return api::forbidden_error("", "pods", a.name,
                                     "pod rejected: Pod Overhead set without corresponding "
                                     "RuntimeClass defined Overhead");
    co_return api::Done{};
  }
};

}  // namespace

std::unique_ptr<Plugin> make_runtime_class() { return std::make_unique<RuntimeClass>(); }

}  // namespace skiff::admission
