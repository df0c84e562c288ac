#include "api/rules/defaults_rules.h"

namespace skiff::api {

namespace {

// The members of rollingUpdate have defaults of their own, in the schema.
void default_strategy(codec::Json& strategy) {
  if (strategy.at({"type"}).as_string() == "RollingUpdate" && !strategy.contains("rollingUpdate"))
    strategy.set("rollingUpdate", codec::Json::object());
}

void default_daemon_set_update(codec::Json& strategy) {
  if (strategy.at({"type"}).as_string().empty()) strategy.set("type", "RollingUpdate");
  if (strategy.at({"type"}).as_string() != "RollingUpdate") return;
  codec::Json& update = strategy["rollingUpdate"];
  if (update.is_null()) update = codec::Json::object();
  if (!update.contains("maxUnavailable")) update.set("maxUnavailable", 1);
  if (!update.contains("maxSurge")) update.set("maxSurge", 0);
}

void default_stateful_set_update(codec::Json& strategy) {
  if (strategy.at({"type"}).as_string().empty()) strategy.set("type", "RollingUpdate");
  if (strategy.at({"type"}).as_string() != "RollingUpdate") return;
  codec::Json& update = strategy["rollingUpdate"];
  if (update.is_null()) update = codec::Json::object();
  if (!update.contains("partition")) update.set("partition", 0);
}

constexpr DefaultRule kRules[] = {
    {"io.k8s.api.apps.v1.DaemonSetUpdateStrategy", default_daemon_set_update},
    {"io.k8s.api.apps.v1.DeploymentStrategy", default_strategy},
    {"io.k8s.api.apps.v1.StatefulSetUpdateStrategy", default_stateful_set_update},
};

}  // namespace

std::span<const DefaultRule> apps_default_rules() { return kRules; }

}  // namespace skiff::api
