#include <skiff/base/strings.h>

#include "registry/registry_impl.h"

namespace skiff::registry {

using codec::Json;

namespace {

void set_scheduled(Json& pod, base::WallTime now) {
  Json& status = pod["status"];
  Json conditions = Json::array();
  for (const auto& condition : std::as_const(status)["conditions"].items()) {
    if (condition["type"].as_string() != "PodScheduled") conditions.push_back(condition);
  }
  const auto generation = std::as_const(pod)["metadata"]["generation"].as_int();
  Json scheduled = Json::object({{"type", "PodScheduled"},
                                 {"status", "True"},
                                 {"lastProbeTime", nullptr},
                                 {"lastTransitionTime", base::format_rfc3339(now)}});
  if (generation > 0) scheduled.set("observedGeneration", generation);
  conditions.push_back(std::move(scheduled));
  pod["status"].set("conditions", std::move(conditions));
}

// Names the node of a pod, once.
class Bind final : public Transform {
 public:
  Bind(const Scope& scope, const Json& binding, base::WallTime now)
      : scope_(scope), binding_(binding), now_(now) {}

  api::Outcome<Json> apply(const Json& live) override {
    auto refuse = [&](std::string detail) {
      return api::conflict_error("", "pods/binding", scope_.name, detail);
    };
    auto uid = api::uid_of(binding_);
    if (!uid.empty() && uid != api::uid_of(live)) {
      return refuse(base::concat("Precondition failed: UID in precondition: ", uid,
                                 ", UID in object meta: ", api::uid_of(live)));
    }
    if (api::is_being_deleted(live)) {
      return refuse(
          base::concat("pod ", scope_.name, " is being deleted, cannot be assigned to a host"));
    }
    auto before = live["spec"]["nodeName"].as_string();
    if (!before.empty()) {
      return refuse(
          base::concat("pod ", scope_.name, " is already assigned to node ", base::quote(before)));
    }
    if (!live["spec"]["schedulingGates"].empty()) {
      return refuse(base::concat("pod ", scope_.name, " has non-empty .spec.schedulingGates"));
    }
    Json pod = live;
    pod["spec"].set("nodeName", binding_["target"]["name"].as_string());
    for (const auto& member : binding_["metadata"]["annotations"].members()) {
      pod["metadata"]["annotations"].set(member.key, member.value);
    }
    set_scheduled(pod, now_);
    return pod;
  }

 private:
  const Scope& scope_;
  const Json& binding_;
  const base::WallTime now_;
};

}  // namespace

base::Task<api::Outcome<>> RegistryImpl::bind(Scope scope, Json binding, bool dry_run,
                                              WriteHooks& hooks) {
  const Json& target = std::as_const(binding)["target"];
  auto kind = target["kind"].as_string();
  if ((!kind.empty() && kind != "Node") || target["name"].as_string().empty()) {
    api::ApiError error;
    error.code = api::default_http_code(api::Reason::invalid);
    error.reason = api::Reason::invalid;
    const bool no_name = target["name"].as_string().empty();
    error.kind = "Binding";
    error.name = scope.name;
    std::string field = no_name ? "target.name" : "target.kind";
    std::string detail = no_name ? "Required value"
                                 : base::concat("Unsupported value: ", base::quote(kind),
                                                ": supported values: \"Node\", \"<empty>\"");
    error.causes.push_back(
        {no_name ? "FieldValueRequired" : "FieldValueNotSupported", detail, field});
    error.message =
        base::concat("Binding ", base::quote(scope.name), " is invalid: ", field, ": ", detail);
    co_return error;
  }
  scope.subresource = "binding";
  Bind transform(scope, binding, options_.clock->now());
  WriteOptions options;
  options.dry_run = dry_run;
  options.is_apply = true;  // no field manager owns a binding
  auto updating = update(scope, transform, std::move(options), hooks);
  auto written = co_await std::move(updating);
  if (!written.is_ok()) co_return written.error();
  co_return api::Done{};
}

}  // namespace skiff::registry
