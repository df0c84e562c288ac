#include "admission/limits.h"
#include "admission/plugin.h"

namespace skiff::admission {

using codec::Json;

namespace {

bool tolerates(const Json& tolerations, std::string_view key) {
  for (const auto& toleration : tolerations.items()) {
    auto own_key = toleration["key"].as_string();
    auto effect = toleration["effect"].as_string();
    const bool effect_fits = effect.empty() || effect == "NoExecute";
    if (effect_fits && (own_key.empty() || own_key == key)) return true;
  }
  return false;
}

// A pod stays five minutes on a node that is gone. Immutable.
class DefaultTolerationSeconds final : public Plugin {
 public:
  base::Task<api::Outcome<>> mutate(const Attributes& a, Json& pod, const Json&) const override {
    if (!creates_pod(a)) co_return api::Done{};
    const Json before = std::as_const(pod)["spec"]["tolerations"];
    for (auto key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      if (tolerates(before, key)) continue;
      pod["spec"]["tolerations"].push_back(
          Json::object({{"key", key},
                        {"operator", "Exists"},
                        {"effect", "NoExecute"},
                        {"tolerationSeconds", kTolerationSeconds}}));
    }
    co_return api::Done{};
  }
};

}  // namespace

std::unique_ptr<Plugin> make_default_toleration_seconds() {
  return std::make_unique<DefaultTolerationSeconds>();
}

}  // namespace skiff::admission
