#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>

#include "agent/container/plan_env.h"

#include <algorithm>
#include <cctype>

namespace skiff::agent {

namespace {

// "k=\"v\"" per line, sorted, as fieldpath.FormatMap.
std::string format_map(const codec::Json& map) {
  std::vector<std::string> lines;
  for (const auto& member : map.members())
    lines.push_back(base::concat(member.key, "=", base::quote(member.value.as_string())));
  std::sort(lines.begin(), lines.end());
  return base::join(lines, "\n");
}

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  if (by <= 0) return value;
  return value / by + (value % by > 0 ? 1 : 0);
}

std::string env_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return out;
}

void add_service(const codec::Json& service, EnvList& out) {
  const auto& spec = service["spec"];
  std::string ip(spec["clusterIP"].as_string());
  if (ip.empty() || ip == "None" || spec["type"].as_string() == "ExternalName") return;
  if (spec["ports"].empty()) return;
  std::string prefix = env_name(service["metadata"]["name"].as_string());
  std::string host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  out.emplace_back(prefix + "_SERVICE_HOST", ip);
  const auto& first = spec["ports"].item(0);
  out.emplace_back(prefix + "_SERVICE_PORT", std::to_string(first["port"].as_int()));
  for (const auto& port : spec["ports"].items())
    if (!port["name"].empty())
      out.emplace_back(prefix + "_SERVICE_PORT_" + env_name(port["name"].as_string()),
                       std::to_string(port["port"].as_int()));
  bool is_first = true;
  for (const auto& port : spec["ports"].items()) {
    std::string protocol(port["protocol"].as_string("TCP"));
    std::string number = std::to_string(port["port"].as_int());
    std::string url = base::concat(base::to_lower(protocol), "://", host, ":", number);
    if (is_first) out.emplace_back(prefix + "_PORT", url);
    is_first = false;
    std::string port_prefix = base::concat(prefix, "_PORT_", number, "_", env_name(protocol));
    out.emplace_back(port_prefix, url);
    out.emplace_back(port_prefix + "_PROTO", base::to_lower(protocol));
    out.emplace_back(port_prefix + "_PORT", number);
    out.emplace_back(port_prefix + "_ADDR", ip);
  }
}

}  // namespace

base::Result<std::string> plan_field(const codec::Json& pod, std::string_view path,
                                     const std::string& pod_ip, const NodeFacts& node) {
  const auto& metadata = pod["metadata"];
  for (std::string_view map : {"metadata.labels", "metadata.annotations"}) {
    std::string_view member = map.substr(9);
    if (path == map) return format_map(metadata[member]);
    std::string open = base::concat(map, "['");
    if (base::starts_with(path, open) && base::ends_with(path, "']")) {
      std::string_view key = path.substr(open.size(), path.size() - open.size() - 2);
      return std::string(metadata[member][key].as_string());
    }
  }
  if (path == "metadata.name") return std::string(metadata["name"].as_string());
  if (path == "metadata.namespace") return std::string(metadata["namespace"].as_string());
  if (path == "metadata.uid") return std::string(metadata["uid"].as_string());
  if (path == "spec.nodeName") return node.node_name;
  if (path == "spec.serviceAccountName")
    return std::string(pod["spec"]["serviceAccountName"].as_string());
  if (path == "status.hostIP" || path == "status.hostIPs") return node.node_ip;
  if (path == "status.podIP" || path == "status.podIPs") return pod_ip;
  return base::invalid_argument(base::concat("unsupported fieldPath: ", path));
}

base::Result<std::string> plan_resource_field(const codec::Json& container,
                                              const codec::Json& selector, const NodeFacts& node) {
  std::string_view resource = selector["resource"].as_string();
  auto dot = resource.find('.');
  std::string_view list = resource.substr(0, dot);
  std::string_view name =
      dot == std::string_view::npos ? std::string_view() : resource.substr(dot + 1);
  if ((list != "limits" && list != "requests") || name.empty())
    return base::invalid_argument(base::concat("unsupported container resource : ", resource));
  api::Quantity divisor = api::Quantity::from_units(1);
  if (!selector["divisor"].empty()) {
    SKIFF_ASSIGN_OR_RETURN(auto given, api::Quantity::parse(selector["divisor"].as_string()));
    if (!(given == api::Quantity())) divisor = given;
  }
  api::Quantity quantity;
  const auto& value = container["resources"][list][name];
  if (!value.empty()) {
    SKIFF_ASSIGN_OR_RETURN(quantity, api::Quantity::parse(value.as_string()));
  } else if (list == "limits" && name == "cpu") {
    quantity = api::Quantity::from_milli(node.allocatable_milli_cpu);
  } else if (list == "limits" && name == "memory") {
    quantity = api::Quantity::from_units(node.allocatable_memory_bytes);
  } else if (list == "limits" && name == "ephemeral-storage") {
    quantity = api::Quantity::from_units(node.allocatable_disk_bytes);
  }
  if (name == "cpu")
    return std::to_string(divide_up(quantity.milli_value(), divisor.milli_value()));
  return std::to_string(divide_up(quantity.value(), divisor.value()));
}

EnvList plan_service_env(const std::vector<codec::Json>& services, std::string_view namespace_name,
                         bool all_services) {
  EnvList out;
  for (const auto& service : services) {
    const auto& metadata = service["metadata"];
    bool is_master = metadata["name"].as_string() == "kubernetes" &&
                     metadata["namespace"].as_string() == "default";
    bool is_here = metadata["namespace"].as_string() == namespace_name;
    if (is_master || (is_here && all_services)) add_service(service, out);
  }
  return out;
}

}  // namespace skiff::agent
