#include "controllers/endpoints/service_pods.h"

#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>

namespace skiff::controllers {

namespace resources = client::resources;

ServicePodsController::ServicePodsController(Context& context)
    : KeyedController(context),
      services_(needs(resources::services)),
      pods_(needs(resources::pods)),
      nodes_(needs(resources::nodes)) {
  enqueue_on_change(resources::services);
  watch(resources::pods, [this](const auto& before, const auto& after) {
    if (!before.empty()) enqueue_services_of(before);
    if (!after.empty()) enqueue_services_of(after);
  });
}

namespace {

bool selects(const api::Labels& selector, const api::Labels& labels) {
  return !selector.empty() && std::all_of(selector.begin(), selector.end(), [&](const auto& term) {
    return std::find(labels.begin(), labels.end(), term) != labels.end();
  });
}

api::Labels labels_of(const api::StoredObject& object) {
  return api::scan_string_map(object.text(), {"metadata", "labels"});
}

}  // namespace

void ServicePodsController::enqueue_services_of(const api::StoredObject& pod) {
  std::optional<api::Labels> labels;
  for (const auto& service : services_.list(pod.namespace_name())) {
    api::Labels selector = api::scan_string_map(service.text(), {"spec", "selector"});
    if (selector.empty()) continue;
    if (!labels) labels = labels_of(pod);
    if (selects(selector, *labels))
      queue_->add(base::concat(service.namespace_name(), '/', service.name()));
  }
}

std::vector<JsonPtr> ServicePodsController::pods_of(const Json& service) const {
  api::Labels selector;
  for (const auto& member : service.at({"spec", "selector"}).members())
    selector.emplace_back(member.key, std::string(member.value.as_string()));
  std::vector<api::StoredObject> matching;
  for (auto& pod : pods_.list(api::namespace_of(service)))
    if (selects(selector, labels_of(pod))) matching.push_back(std::move(pod));
  return context_.parse_all(matching);
}

std::string ServicePodsController::zone_of(std::string_view node) const {
  api::StoredObject object = nodes_.get(node);
  if (object.empty()) return {};
  return api::scan_string(object.text(), {"metadata", "labels", "topology.kubernetes.io/zone"})
      .value_or("");
}

}  // namespace skiff::controllers
