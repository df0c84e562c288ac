#include "controllers/endpoints/plan_endpoints.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <map>
#include <set>

namespace skiff::controllers {

namespace {

std::string_view address_type(const Json& service) {
  std::string_view family = service.at({"spec", "ipFamilies"}).items().empty()
                                ? "IPv4"
                                : service.at({"spec", "ipFamilies"}).item(0).as_string();
  return family == "IPv6" ? "IPv6" : "IPv4";
}

Json slice_labels(const Json& service) {
  Json labels = Json::object();
  for (const auto& member : service.at({"metadata", "labels"}).members())
    if (member.key != kServiceNameLabel && member.key != kSliceManagedByLabel &&
        member.key != "service.kubernetes.io/headless")
      labels.set(member.key, member.value);
  labels.set(kServiceNameLabel, api::name_of(service));
  labels.set(kSliceManagedByLabel, kSliceManager);
  if (is_headless(service)) labels.set("service.kubernetes.io/headless", "");
  return labels;
}

std::string identity(const Json& endpoint) {
  return base::concat(endpoint.at({"targetRef", "uid"}).as_string(), '\n',
                      endpoint["addresses"].items().empty()
                          ? std::string_view()
                          : endpoint["addresses"].item(0).as_string());
}

// Equal for port lists that mean the same, whether defaults are written out or not.
std::string ports_key(const Json& ports) {
  std::string key;
  for (const Json& port : ports.items())
    key += base::concat(port["name"].as_string(), '/', port["protocol"].as_string("TCP"), '/',
                        port["port"].as_int(), '/', port["appProtocol"].as_string(), ';');
  return key;
}

Json new_slice(const Json& service, const Json& ports) {
  Json owner = controller_reference(service, "v1", "Service");
  Json metadata = Json::object({{"generateName", base::concat(api::name_of(service), '-')},
                                {"namespace", api::namespace_of(service)},
                                {"labels", slice_labels(service)},
                                {"ownerReferences", Json::array({std::move(owner)})}});
  return Json::object({{"apiVersion", "discovery.k8s.io/v1"},
                       {"kind", "EndpointSlice"},
                       {"metadata", std::move(metadata)},
                       {"addressType", address_type(service)},
                       {"endpoints", Json::array()},
                       {"ports", ports}});
}

// A slice while it is filled; `present` is null for a new one.
struct Draft {
  JsonPtr present;
  Json ports;
  std::vector<Json> endpoints;
};
using Group = std::map<std::string, Json>;  // by identity

// Keeps what is there and still wanted; takes what it kept out of `wanted`.
void keep_present(Draft& draft, Group& wanted) {
  for (const Json& endpoint : draft.present->at({"endpoints"}).items()) {
    auto found = wanted.find(identity(endpoint));
    if (found == wanted.end()) continue;
    draft.endpoints.push_back(std::move(found->second));
    wanted.erase(found);
  }
}

void add_missing(std::vector<Draft>& drafts, Group& wanted, const Json& ports) {
  for (auto& [key, endpoint] : wanted) {
    Draft* room = nullptr;
    for (Draft& draft : drafts)
      if (draft.endpoints.size() < kEndpointsPerSliceMax &&
          (room == nullptr || draft.endpoints.size() > room->endpoints.size()))
        room = &draft;
    if (room == nullptr) {
      drafts.push_back(Draft{nullptr, ports, {}});
      room = &drafts.back();
    }
    room->endpoints.push_back(std::move(endpoint));
  }
}

void finish(const Json& service, Draft& draft, const std::string& changed, SlicePlan& plan) {
  Json slice = draft.present ? *draft.present : new_slice(service, draft.ports);
  Json list = Json::array();
  for (Json& endpoint : draft.endpoints) list.push_back(std::move(endpoint));
  slice.set("endpoints", std::move(list));
  slice["metadata"].set("labels", slice_labels(service));
  Json stamped = slice;
  if (!changed.empty()) stamped["metadata"]["annotations"].set(kTriggerTimeAnnotation, changed);
  if (!draft.present) return void(plan.create.push_back(std::move(stamped)));
  bool same = slice["endpoints"] == (*draft.present)["endpoints"] &&
              slice.at({"metadata", "labels"}) == draft.present->at({"metadata", "labels"});
  // An empty list and none are the same.
  same |= slice["endpoints"].empty() && (*draft.present)["endpoints"].empty() &&
          slice.at({"metadata", "labels"}) == draft.present->at({"metadata", "labels"});
  if (!same) plan.update.push_back(std::move(stamped));
}

}  // namespace

SlicePlan plan_endpoint_slices(const Json& service, const std::vector<PodEndpoint>& endpoints,
                               const std::vector<JsonPtr>& present) {
  SlicePlan plan;
  const std::string changed = last_change(service, endpoints);
  std::map<std::string, Group> groups;
  std::map<std::string, Json> ports_of_group;
  for (const PodEndpoint& endpoint : endpoints) {
    std::string key = ports_key(endpoint.ports);
    groups[key].emplace(identity(endpoint.endpoint), endpoint.endpoint);
    ports_of_group.emplace(std::move(key), endpoint.ports);
  }
  std::map<std::string, std::vector<Draft>> drafts;
  std::vector<JsonPtr> unused;
  for (const auto& slice : present) {
    std::string key = ports_key((*slice)["ports"]);
    auto group = groups.find(key);
    if (api::is_being_deleted(*slice)) continue;
    if (group == groups.end() || (*slice)["addressType"].as_string() != address_type(service)) {
      unused.push_back(slice);
      continue;
    }
    Draft draft{slice, ports_of_group[key], {}};
    keep_present(draft, group->second);
    drafts[key].push_back(std::move(draft));
  }
  for (auto& [key, group] : groups) add_missing(drafts[key], group, ports_of_group[key]);

  std::size_t kept = 0;
  for (auto& [key, list] : drafts)
    for (Draft& draft : list) {
      if (draft.endpoints.empty() && draft.present) {
        unused.push_back(draft.present);
        continue;
      }
      finish(service, draft, changed, plan);
      ++kept;
    }
  if (kept == 0) {
    // A Service with a selector always has a slice, if an empty one.
    Draft placeholder{nullptr, Json::array(), {}};
    if (!unused.empty()) {
      placeholder.present = unused.front();
      unused.erase(unused.begin());
    }
    finish(service, placeholder, changed, plan);
  }
  plan.remove = std::move(unused);
  return plan;
}

}  // namespace skiff::controllers
