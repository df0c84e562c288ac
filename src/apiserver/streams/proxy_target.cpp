#include "apiserver/streams/proxy_target.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/streams/plan_proxy.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Clients name it; behind it is the connection that the node keeps.
constexpr std::string_view kKubeletPort = "10250";

api::Outcome<Json> read_object(const RequestContext& context, std::string_view resource,
                               std::string_view name) {
  auto stored = context.services.reader->get("", resource, context.info.namespace_name, name);
  if (stored.empty()) return api::not_found_error("", resource, name);
  auto object = stored.parse();
  if (!object.is_ok()) return api::internal_api_error(object.status().message());
  return std::move(*object);
}

PodTarget target_of(Json pod) {
  PodTarget target;
  target.node = std::as_const(pod)["spec"]["nodeName"].as_string();
  target.pod = std::move(pod);
  return target;
}

std::string first_container_port(const Json& pod) {
  for (const auto& container : pod["spec"]["containers"].items()) {
    const auto& ports = container["ports"];
    if (!ports.empty()) return std::to_string(ports.item(0)["containerPort"].as_int());
  }
  return {};
}

api::Outcome<std::uint16_t> port_number(std::string_view scheme, std::string_view text) {
  if (text.empty()) return static_cast<std::uint16_t>(scheme == "https" ? 443 : 80);
  auto number = base::parse_int(text);
  if (number && *number > 0 && *number <= 65535) return static_cast<std::uint16_t>(*number);
  return api::service_unavailable_error(
      base::concat("error trying to reach service: dial tcp: address ", text, ": invalid port"));
}

api::Outcome<ProxyTarget> find_pod_target(const RequestContext& context, const ProxyName& asked) {
  SKIFF_TRY(auto pod, read_object(context, "pods", asked.name));
  const Json& given = pod;
  ProxyTarget target;
  target.scheme = asked.scheme;
  SKIFF_TRY(target.port, port_number(asked.scheme, asked.port.empty() ? first_container_port(given)
                                                                      : asked.port));
  if (!is_global_unicast(given["status"]["podIP"].as_string())) {
    return api::bad_request_error("address not allowed");
  }
  target.pod = target_of(std::move(pod));
  return target;
}

// The name under which the endpoints know the port.
api::Outcome<std::string> endpoint_port_name(const RequestContext& context,
                                             const ProxyName& asked) {
  auto number = base::parse_int(asked.port);
  if (!number) return asked.port;
  SKIFF_TRY(auto service, read_object(context, "services", asked.name));
  for (const auto& port : std::as_const(service)["spec"]["ports"].items()) {
    if (port["port"].as_int() == *number) return std::string(port["name"].as_string());
  }
  return api::service_unavailable_error(
      base::concat("no service port ", *number, " found for service ", base::quote(asked.name)));
}

// The pod of an address, if it has that address still.
std::optional<Json> pod_of(const RequestContext& context, const Json& address) {
  const Json& reference = address["targetRef"];
  if (reference["kind"].as_string() != "Pod") return std::nullopt;
  if (reference["namespace"].as_string() != context.info.namespace_name) return std::nullopt;
  auto pod = read_object(context, "pods", reference["name"].as_string());
  if (!pod.is_ok()) return std::nullopt;
  const auto ip = std::as_const(pod).value()["status"]["podIP"].as_string();
  if (ip != address["ip"].as_string() || !is_global_unicast(ip)) return std::nullopt;
  return std::move(pod).value();
}

std::int64_t port_of(const Json& subset, std::string_view name) {
  for (const auto& port : subset["ports"].items()) {
    if (port["name"].as_string() == name) return port["port"].as_int();
  }
  return 0;
}

api::Outcome<ProxyTarget> find_service_target(const RequestContext& context,
                                              const ProxyName& asked) {
  SKIFF_TRY(auto port_name, endpoint_port_name(context, asked));
  SKIFF_TRY(auto endpoints, read_object(context, "endpoints", asked.name));
  const Json& subsets = std::as_const(endpoints)["subsets"];
  if (subsets.empty()) {
    return api::service_unavailable_error(
        base::concat("no endpoints available for service ", base::quote(asked.name)));
  }
  auto& random = *context.services.options.random;
  const auto first_subset = random.below(subsets.size());
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    const Json& subset = subsets.item((first_subset + i) % subsets.size());
    const Json& addresses = subset["addresses"];
    const auto port = port_of(subset, port_name);
    if (addresses.empty() || port <= 0 || port > 65535) continue;
    const auto first = random.below(addresses.size());
    for (std::size_t j = 0; j < addresses.size(); ++j) {
      auto pod = pod_of(context, addresses.item((first + j) % addresses.size()));
      if (!pod) continue;
      ProxyTarget target;
      target.scheme = asked.scheme;
      target.port = static_cast<std::uint16_t>(port);
      target.pod = target_of(std::move(*pod));
      return target;
    }
  }
  return api::service_unavailable_error(
      base::concat("no endpoints available for service ", base::quote(context.info.name)));
}

api::Outcome<ProxyTarget> find_node_target(const RequestContext& context, const ProxyName& asked) {
  SKIFF_TRY(auto node, read_object(context, "nodes", asked.name));
  if (!asked.port.empty() && asked.port != kKubeletPort) {
    return api::bad_request_error(base::concat("node ", asked.name, " serves no port ", asked.port,
                                               "; leave it out, or use ", kKubeletPort));
  }
  ProxyTarget target;
  target.kind = client::NodeRequest::Kind::node;
  target.pod.node = api::name_of(node);
  return target;
}

}  // namespace

api::Outcome<ProxyTarget> find_proxy_target(const RequestContext& context) {
  const std::string_view resource = context.info.resource;
  auto asked = split_proxy_name(context.info.name);
  if (!asked) {
    return api::bad_request_error(base::concat("invalid ", resource.substr(0, resource.size() - 1),
                                               " request ", base::quote(context.info.name)));
  }
  if (resource == "pods") return find_pod_target(context, *asked);
  if (resource == "nodes") return find_node_target(context, *asked);
  return find_service_target(context, *asked);
}

}  // namespace skiff::apiserver
