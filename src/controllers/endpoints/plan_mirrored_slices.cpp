#include <skiff/base/strings.h>

#include <algorithm>
#include <map>

#include "controllers/endpoints/plan_endpoints.h"

namespace skiff::controllers {

namespace {

constexpr std::string_view kSkipLabel = "endpointslice.kubernetes.io/skip-mirror";
constexpr std::string_view kLeaderAnnotation = "control-plane.alpha.kubernetes.io/leader";
constexpr std::string_view kLastAppliedAnnotation =
    "kubectl.kubernetes.io/last-applied-configuration";

// What one slice is to show.
struct Group {
  std::string_view address_type;
  Json ports = Json::array();
  std::map<std::string, Json> endpoints;  // by address
};

std::string group_key(std::string_view address_type, const Json& ports) {
  std::vector<std::string> lines;
  for (const Json& port : ports.items())
    lines.push_back(base::concat(port["name"].as_string(), '/', port["protocol"].as_string("TCP"),
                                 '/', port["port"].as_int(), '/', port["appProtocol"].as_string()));
  std::sort(lines.begin(), lines.end());
  return base::concat(address_type, ';', base::join(lines, ";"));
}

Json slice_ports(const Json& subset) {
  Json ports = Json::array();
  for (const Json& port : subset["ports"].items()) {
    Json out = Json::object({{"name", port["name"].as_string()},
                             {"port", port["port"]},
                             {"protocol", port["protocol"].as_string("TCP")}});
    if (!port["appProtocol"].is_null()) out.set("appProtocol", port["appProtocol"]);
    ports.push_back(std::move(out));
  }
  return ports;
}

Json slice_endpoint(const Json& address, bool ready) {
  Json endpoint = Json::object({{"addresses", Json::array({address["ip"]})},
                                {"conditions", Json::object({{"ready", ready}})}});
  for (const char* member : {"hostname", "nodeName", "targetRef"})
    if (!address[member].empty()) endpoint.set(member, address[member]);
  return endpoint;
}

using Groups = std::map<std::string, Group>;

void add_subset(const Json& subset, Groups& groups) {
  const Json ports = slice_ports(subset);
  std::size_t added = 0;
  for (const char* list : {"addresses", "notReadyAddresses"})
    for (const Json& address : subset[list].items()) {
      if (++added > kEndpointsMax) return;
      std::string ip(address["ip"].as_string());
      std::string_view type = ip.find(':') == std::string::npos ? "IPv4" : "IPv6";
      Group& group = groups[group_key(type, ports)];
      group.address_type = type;
      group.ports = ports;
      group.endpoints.emplace(std::move(ip), slice_endpoint(address, list[0] == 'a'));
    }
}

Json slice_labels(const Json& endpoints) {
  Json labels = Json::object();
  for (const auto& member : endpoints.at({"metadata", "labels"}).members())
    labels.set(member.key, member.value);
  labels.set(kServiceNameLabel, api::name_of(endpoints));
  labels.set(kSliceManagedByLabel, kMirroringManager);
  return labels;
}

Json slice_annotations(const Json& endpoints) {
  Json annotations = Json::object();
  for (const auto& member : endpoints.at({"metadata", "annotations"}).members())
    if (member.key != kTriggerTimeAnnotation && member.key != kLastAppliedAnnotation)
      annotations.set(member.key, member.value);
  return annotations;
}

bool is_same(const Json& a, const Json& b) { return a == b || (a.empty() && b.empty()); }

// `present` is null for a new slice.
void finish(const Json& endpoints, const Group& group, const JsonPtr& present, SlicePlan& plan) {
  Json list = Json::array();
  for (const auto& [ip, endpoint] : group.endpoints) list.push_back(endpoint);
  Json labels = slice_labels(endpoints), annotations = slice_annotations(endpoints);
  if (present && is_same((*present)["endpoints"], list) &&
      is_same(present->at({"metadata", "labels"}), labels) &&
      is_same(present->at({"metadata", "annotations"}), annotations))
    return;
  Json slice;
  if (present) {
    slice = *present;
  } else {
    Json owner = controller_reference(endpoints, "v1", "Endpoints");
    slice = Json::object({{"apiVersion", "discovery.k8s.io/v1"},
                          {"kind", "EndpointSlice"},
                          {"addressType", group.address_type},
                          {"ports", group.ports}});
    slice["metadata"].set("generateName", base::concat(api::name_of(endpoints), '-'));
    slice["metadata"].set("namespace", api::namespace_of(endpoints));
    slice["metadata"].set("ownerReferences", Json::array({std::move(owner)}));
  }
  slice["metadata"].set("labels", std::move(labels));
  slice["metadata"].set("annotations", std::move(annotations));
  slice.set("endpoints", std::move(list));
  (present ? plan.update : plan.create).push_back(std::move(slice));
}

}  // namespace

bool is_mirrored(const Json& service, const Json& endpoints) {
  return !has_selector(service) && api::label(endpoints, kSkipLabel) != "true" &&
         endpoints.at({"metadata", "annotations"})[kLeaderAnnotation].is_null();
}

SlicePlan plan_mirrored_slices(const Json& endpoints, const std::vector<JsonPtr>& present) {
  SlicePlan plan;
  Groups groups;
  for (const Json& subset : endpoints["subsets"].items()) add_subset(subset, groups);
  for (const JsonPtr& slice : present) {
    if (api::is_being_deleted(*slice)) continue;
    auto group = groups.find(group_key((*slice)["addressType"].as_string(), (*slice)["ports"]));
    if (group == groups.end()) {
      plan.remove.push_back(slice);
      continue;
    }
    finish(endpoints, group->second, slice, plan);
    groups.erase(group);
  }
  for (const auto& [key, group] : groups) finish(endpoints, group, nullptr, plan);
  return plan;
}

}  // namespace skiff::controllers
