#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <set>

#include "api/table_format.h"

namespace skiff::api {

namespace {

using codec::Json;

constexpr std::size_t kShownMax = 3;

Json age_cell(const Json& object, base::WallTime now) {
  return age_since(object.at({"metadata", "creationTimestamp"}), now);
}

std::string address_of(const Json& node, std::string_view type) {
  for (const Json& address : node.at({"status", "addresses"}).items())
    if (address["type"].as_string() == type) return std::string(address["address"].as_string());
  return "<none>";
}

std::string node_status(const Json& node) {
  std::string out = "Unknown";
  for (const Json& condition : node.at({"status", "conditions"}).items())
    if (condition["type"].as_string() == "Ready")
      out = condition["status"].as_string() == "True" ? "Ready" : "NotReady";
  if (node.at({"spec", "unschedulable"}).as_bool()) out += ",SchedulingDisabled";
  return out;
}

std::string node_roles(const Json& node) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const codec::JsonMember& label : node.at({"metadata", "labels"}).members()) {
    if (base::starts_with(label.key, kPrefix) && label.key.size() > kPrefix.size())
      roles.insert(label.key.substr(kPrefix.size()));
    else if (label.key == "kubernetes.io/role" && !label.value.empty())
      roles.emplace(label.value.as_string());
  }
  return or_none(base::join({roles.begin(), roles.end()}, ","));
}

std::string or_unknown(std::string_view text) {
  return std::string(text.empty() ? "<unknown>" : text);
}

std::string balancer_addresses(const Json& service) {
  std::set<std::string> addresses;
  for (const Json& ingress : service.at({"status", "loadBalancer", "ingress"}).items()) {
    const std::string_view address = ingress["ip"].as_string();
    const std::string_view shown = address.empty() ? ingress["hostname"].as_string() : address;
    if (!shown.empty()) addresses.emplace(shown);
  }
  return base::join({addresses.begin(), addresses.end()}, ",");
}

std::string external_address(const Json& service) {
  const Json& spec = service["spec"];
  const std::string_view type = spec["type"].as_string();
  std::vector<std::string> addresses;
  if (type == "LoadBalancer") {
    const std::string balancer = balancer_addresses(service);
    if (!balancer.empty()) addresses.push_back(balancer);
  }
  for (const Json& address : spec["externalIPs"].items())
    addresses.emplace_back(address.as_string());
  if (type == "ClusterIP" || type == "NodePort") return or_none(base::join(addresses, ","));
  if (type == "LoadBalancer") return addresses.empty() ? "<pending>" : base::join(addresses, ",");
  if (type == "ExternalName") return std::string(spec["externalName"].as_string());
  return "<unknown>";
}

std::string service_ports(const Json& service) {
  std::vector<std::string> ports;
  for (const Json& port : service.at({"spec", "ports"}).items()) {
    const std::int64_t node_port = port["nodePort"].as_int();
    const std::string node_part = node_port > 0 ? base::concat(":", node_port) : std::string();
    ports.push_back(
        base::concat(port["port"].as_int(), node_part, "/", port["protocol"].as_string()));
  }
  return or_none(base::join(ports, ","));
}

// "a=b,c=d" by key.
std::string labels_text(const Json& labels) {
  std::vector<std::string> parts;
  for (const codec::JsonMember& label : labels.members())
    parts.push_back(base::concat(label.key, "=", label.value.as_string()));
  std::sort(parts.begin(), parts.end());
  return or_none(base::join(parts, ","));
}

// The first few of many.
struct ShortList {
  std::vector<std::string> shown;
  std::size_t count = 0;

  void add(std::string text) {
    ++count;
    if (shown.size() < kShownMax) shown.push_back(std::move(text));
  }
  std::string text(std::string_view when_empty) const {
    std::string out = base::join(shown, ",");
    if (count > kShownMax) out += base::concat(" + ", count - kShownMax, " more...");
    return out.empty() ? std::string(when_empty) : out;
  }
};

std::string host_port(std::string_view host, std::int64_t port) {
  const bool brackets = host.find(':') != std::string_view::npos;
  return base::concat(brackets ? "[" : "", host, brackets ? "]" : "", ":", port);
}

std::string endpoints_text(const Json& endpoints) {
  if (endpoints["subsets"].empty()) return "<none>";
  ShortList list;
  for (const Json& subset : endpoints["subsets"].items()) {
    if (subset["ports"].empty())
      for (const Json& address : subset["addresses"].items())
        list.add(std::string(address["ip"].as_string()));
    for (const Json& port : subset["ports"].items())
      for (const Json& address : subset["addresses"].items())
        list.add(host_port(address["ip"].as_string(), port["port"].as_int()));
  }
  return list.text("");
}

std::string_view first_text(const Json& first, const Json& second) {
  return first.as_string().empty() ? second.as_string() : first.as_string();
}

const Json& first_set(const Json& first, const Json& second) {
  return first.is_null() ? second : first;
}

std::string event_source(const Json& event) {
  const Json& source = first_set(event["source"], event["deprecatedSource"]);
  const Json& controller = first_set(event["reportingComponent"], event["reportingController"]);
  const std::string_view component = first_text(source["component"], controller);
  const std::string_view instance = first_text(source["host"], event["reportingInstance"]);
  if (instance.empty()) return std::string(component);
  return base::concat(component, ", ", instance);
}

std::string event_target(const Json& object) {
  const std::string kind = base::to_lower(object["kind"].as_string());
  if (object["name"].empty()) return kind;
  return base::concat(kind, "/", object["name"].as_string());
}

}  // namespace

Json node_cells(const Json& node, base::WallTime now) {
  const Json& info = node.at({"status", "nodeInfo"});
  return Json::array({node.at({"metadata", "name"}).as_string(), node_status(node),
                      node_roles(node), age_cell(node, now), info["kubeletVersion"].as_string(),
                      address_of(node, "InternalIP"), address_of(node, "ExternalIP"),
                      or_unknown(info["osImage"].as_string()),
                      or_unknown(info["kernelVersion"].as_string()),
                      or_unknown(info["containerRuntimeVersion"].as_string())});
}

Json service_cells(const Json& service, base::WallTime now) {
  const Json& spec = service["spec"];
  const auto& addresses = spec["clusterIPs"].items();
  const std::string_view address =
      addresses.empty() ? spec["clusterIP"].as_string() : addresses.front().as_string();
  return Json::array({service.at({"metadata", "name"}).as_string(), spec["type"].as_string(),
                      or_none(address), external_address(service), service_ports(service),
                      age_cell(service, now), labels_text(spec["selector"])});
}

Json endpoints_cells(const Json& endpoints, base::WallTime now) {
  return Json::array({endpoints.at({"metadata", "name"}).as_string(), endpoints_text(endpoints),
                      age_cell(endpoints, now)});
}

Json endpoint_slice_cells(const Json& slice, base::WallTime now) {
  ShortList ports, addresses;
  for (const Json& port : slice["ports"].items()) {
    if (port["port"].is_int())
      ports.add(base::concat(port["port"].as_int()));
    else
      ports.add(std::string(port["name"].as_string("*")));
  }
  for (const Json& endpoint : slice["endpoints"].items())
    for (const Json& address : endpoint["addresses"].items())
      addresses.add(std::string(address.as_string()));
  return Json::array({slice.at({"metadata", "name"}).as_string(), slice["addressType"].as_string(),
                      ports.text("<unset>"), addresses.text("<unset>"), age_cell(slice, now)});
}

Json event_cells(const Json& event, base::WallTime now) {
  const Json& first = first_set(event["firstTimestamp"], event["deprecatedFirstTimestamp"]);
  const Json& last = first_set(event["lastTimestamp"], event["deprecatedLastTimestamp"]);
  const Json& object = first_set(event["involvedObject"], event["regarding"]);
  const std::string first_seen = age_since(first_set(first, event["eventTime"]), now);
  std::string last_seen = last.is_null() ? first_seen : age_since(last, now);
  std::int64_t count = first_set(event["count"], event["deprecatedCount"]).as_int();
  if (event["series"].is_object()) {
    last_seen = age_since(event.at({"series", "lastObservedTime"}), now);
    count = event.at({"series", "count"}).as_int();
  } else if (count == 0) {
    count = 1;
  }
  return Json::array({last_seen, event["type"].as_string(), event["reason"].as_string(),
                      event_target(object), object["fieldPath"].as_string(), event_source(event),
                      base::trim(first_set(event["message"], event["note"]).as_string()),
                      first_seen, static_cast<long long>(count),
                      event.at({"metadata", "name"}).as_string()});
}

Json signing_request_cells(const Json& request, base::WallTime now) {
  const Json& spec = request["spec"];
  auto has = [&](std::string_view type) { return !find_condition(request, type).is_null(); };
  std::string state = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  if (has("Failed")) state += ",Failed";
  if (!request.at({"status", "certificate"}).empty()) state += ",Issued";
  const Json& seconds = spec["expirationSeconds"];
  return Json::array({request.at({"metadata", "name"}).as_string(), age_cell(request, now),
                      or_none(spec["signerName"].as_string()), spec["username"].as_string(),
                      seconds.is_int() ? human_duration(std::chrono::seconds(seconds.as_int()))
                                       : std::string("<none>"),
                      state});
}

}  // namespace skiff::api
