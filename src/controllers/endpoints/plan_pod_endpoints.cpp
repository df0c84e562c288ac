#include "controllers/endpoints/plan_endpoints.h"

#include <algorithm>
#include <map>

namespace skiff::controllers {

bool has_selector(const Json& service) {
  return service.at({"spec", "type"}).as_string() != "ExternalName" &&
         !service.at({"spec", "selector"}).empty();
}

bool is_headless(const Json& service) {
  return service.at({"spec", "clusterIP"}).as_string() == "None";
}

namespace {

// The number of the pod's port that a Service port leads to; 0 when the pod has none of that name.
std::int64_t resolve_port(const Json& port, const Json& pod) {
  const Json& target = port["targetPort"];
  if (target.is_int()) return target.as_int();
  if (target.as_string().empty()) return port["port"].as_int();
  std::string_view protocol = port["protocol"].as_string("TCP");
  auto find_in = [&](const Json& containers, bool sidecars_only) -> std::int64_t {
    for (const Json& container : containers.items()) {
      if (sidecars_only && container["restartPolicy"].as_string() != "Always") continue;
      for (const Json& candidate : container["ports"].items())
        if (candidate["name"].as_string() == target.as_string() &&
            candidate["protocol"].as_string("TCP") == protocol)
          return candidate["containerPort"].as_int();
    }
    return 0;
  };
  std::int64_t found = find_in(pod.at({"spec", "containers"}), false);
  return found != 0 ? found : find_in(pod.at({"spec", "initContainers"}), true);
}

Json ports_of(const Json& service, const Json& pod) {
  Json ports = Json::array();
  for (const Json& port : service.at({"spec", "ports"}).items()) {
    std::int64_t number = resolve_port(port, pod);
    if (number == 0) continue;
    Json entry = Json::object({{"name", port["name"].as_string()},
                               {"protocol", port["protocol"].as_string("TCP")},
                               {"port", number}});
    if (!port["appProtocol"].empty()) entry.set("appProtocol", port["appProtocol"]);
    ports.push_back(std::move(entry));
  }
  return ports;
}

Json target_of(const Json& pod) {
  return Json::object({{"kind", "Pod"},
                       {"namespace", api::namespace_of(pod)},
                       {"name", api::name_of(pod)},
                       {"uid", api::uid_of(pod)}});
}

bool has_hostname(const Json& service, const Json& pod) {
  return !pod.at({"spec", "hostname"}).empty() &&
         pod.at({"spec", "subdomain"}).as_string() == api::name_of(service) &&
         api::namespace_of(pod) == api::namespace_of(service);
}

bool publishes_not_ready(const Json& service) {
  return service.at({"spec", "publishNotReadyAddresses"}).as_bool();
}

}  // namespace

std::vector<PodEndpoint> plan_pod_endpoints(const Json& service, const std::vector<JsonPtr>& pods,
                                            const ZoneOf& zone_of) {
  std::vector<PodEndpoint> result;
  for (const auto& pod : pods) {
    std::string_view address = pod->at({"status", "podIP"}).as_string();
    if (address.empty() || is_pod_terminal(*pod)) continue;
    bool serving = is_pod_ready(*pod), terminating = api::is_being_deleted(*pod);
    bool ready = publishes_not_ready(service) || (serving && !terminating);
    Json endpoint = Json::object();
    endpoint.set("addresses", Json::array({Json(address)}));
    endpoint.set(
        "conditions",
        Json::object({{"ready", ready}, {"serving", serving}, {"terminating", terminating}}));
    if (has_hostname(service, *pod)) endpoint.set("hostname", pod->at({"spec", "hostname"}));
    endpoint.set("targetRef", target_of(*pod));
    std::string_view node = pod->at({"spec", "nodeName"}).as_string();
    if (!node.empty()) {
      endpoint.set("nodeName", node);
      std::string zone = zone_of(node);
      if (!zone.empty()) endpoint.set("zone", zone);
    }
    result.push_back({std::move(endpoint), ports_of(service, *pod), ready_since(*pod)});
  }
  return result;
}

std::string last_change(const Json& service, const std::vector<PodEndpoint>& endpoints) {
  std::optional<base::WallTime> latest = time_at(service, {"metadata", "creationTimestamp"});
  for (const PodEndpoint& endpoint : endpoints)
    if (endpoint.changed && (!latest || *endpoint.changed > *latest)) latest = endpoint.changed;
  return latest ? base::format_rfc3339(*latest) : std::string();
}

namespace {

struct Subset {
  Json ports = Json::array();
  std::vector<Json> ready, not_ready;
};

void sort_addresses(std::vector<Json>& addresses) {
  std::sort(addresses.begin(), addresses.end(), [](const Json& a, const Json& b) {
    return std::pair(a["ip"].as_string(), a.at({"targetRef", "uid"}).as_string()) <
           std::pair(b["ip"].as_string(), b.at({"targetRef", "uid"}).as_string());
  });
}

Json subset_json(Subset& subset) {
  Json result = Json::object();
  auto put = [&](std::string_view field, std::vector<Json>& addresses) {
    if (addresses.empty()) return;
    sort_addresses(addresses);
    Json list = Json::array();
    for (Json& address : addresses) list.push_back(std::move(address));
    result.set(field, std::move(list));
  };
  put("addresses", subset.ready);
  put("notReadyAddresses", subset.not_ready);
  if (!subset.ports.empty()) result.set("ports", std::move(subset.ports));
  return result;
}

Json endpoint_ports(const Json& slice_ports) {
  Json ports = Json::array();
  for (Json port : slice_ports.items()) {
    if (port["name"].empty()) port.erase("name");
    ports.push_back(std::move(port));
  }
  return ports;
}

Json subsets_of(const Json& service, const std::vector<JsonPtr>& pods) {
  std::map<std::string, Subset> by_ports;
  bool not_ready_too = publishes_not_ready(service);
  std::size_t count = 0;
  for (const auto& pod : pods) {
    std::string_view ip = pod->at({"status", "podIP"}).as_string();
    if (ip.empty() || is_pod_terminal(*pod)) continue;
    if (api::is_being_deleted(*pod) && !not_ready_too) continue;
    Json ports = ports_of(service, *pod);
    if (ports.empty() && !service.at({"spec", "ports"}).empty()) continue;
    if (++count > kEndpointsMax) break;
    Json address = Json::object({{"ip", ip}});
    if (has_hostname(service, *pod)) address.set("hostname", pod->at({"spec", "hostname"}));
    if (!pod->at({"spec", "nodeName"}).empty())
      address.set("nodeName", pod->at({"spec", "nodeName"}));
    address.set("targetRef", target_of(*pod));
    Subset& subset = by_ports[canonical_text(ports)];
    if (subset.ports.empty()) subset.ports = endpoint_ports(ports);
    bool ready = not_ready_too || is_pod_ready(*pod);
    (ready ? subset.ready : subset.not_ready).push_back(std::move(address));
  }
  Json subsets = Json::array();
  for (auto& [key, subset] : by_ports) subsets.push_back(subset_json(subset));
  return subsets;
}

}  // namespace

Json plan_endpoints(const Json& service, const std::vector<JsonPtr>& pods, const Json& present) {
  Json endpoints = present;
  if (!endpoints.is_object()) {
    endpoints = Json::object({{"apiVersion", "v1"}, {"kind", "Endpoints"}});
    endpoints.set("metadata", Json::object({{"name", api::name_of(service)},
                                            {"namespace", api::namespace_of(service)}}));
  }
  Json labels = service.at({"metadata", "labels"});
  if (!labels.is_object()) labels = Json::object();
  labels.set("endpoints.kubernetes.io/managed-by", "endpoint-controller");
  if (is_headless(service))
    labels.set("service.kubernetes.io/headless", "");
  else
    labels.erase("service.kubernetes.io/headless");
  endpoints["metadata"].set("labels", std::move(labels));
  Json subsets = subsets_of(service, pods);
  std::string changed =
      last_change(service, plan_pod_endpoints(service, pods, [](auto) { return std::string(); }));
  if (subsets != endpoints["subsets"] && !changed.empty())
    endpoints["metadata"]["annotations"].set(kTriggerTimeAnnotation, changed);
  if (subsets.empty())
    endpoints.erase("subsets");
  else
    endpoints.set("subsets", std::move(subsets));
  return endpoints;
}

}  // namespace skiff::controllers
