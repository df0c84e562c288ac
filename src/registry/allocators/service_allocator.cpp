#include "registry/allocators/service_allocator.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::registry {

using codec::Json;

namespace {

bool wants_cluster_ip(const Json& service) {
  return service["spec"]["type"].as_string("ClusterIP") != "ExternalName";
}

bool wants_node_ports(const Json& service) {
  auto type = service["spec"]["type"].as_string();
  if (type == "NodePort") return true;
  return type == "LoadBalancer" && service["spec"]["allocateLoadBalancerNodePorts"].as_bool(true);
}

bool may_have_node_ports(const Json& service) {
  auto type = service["spec"]["type"].as_string();
  return type == "NodePort" || type == "LoadBalancer";
}

bool wants_health_check_port(const Json& service) {
  return service["spec"]["type"].as_string() == "LoadBalancer" &&
         service["spec"]["externalTrafficPolicy"].as_string() == "Local";
}

std::vector<std::int64_t> node_ports_of(const Json& service) {
  std::vector<std::int64_t> ports;
  auto add = [&](std::int64_t port) {
    if (port != 0 && std::find(ports.begin(), ports.end(), port) == ports.end()) {
      ports.push_back(port);
    }
  };
  for (const auto& port : service["spec"]["ports"].items()) add(port["nodePort"].as_int());
  add(service["spec"]["healthCheckNodePort"].as_int());
  return ports;
}

std::string cluster_ip_of(const Json& service) {
  auto address = service["spec"]["clusterIP"].as_string();
  if (address.empty() || address == "None") return {};
  return std::string(address);
}

api::FieldError port_error(std::string field, std::int64_t port, const base::Status& status) {
  return {api::FieldError::Type::invalid, std::move(field), std::to_string(port),
          std::string(status.message())};
}

// Ports that were not named again keep the number that they had.
void copy_node_ports(Json& service, const Json& live) {
  if (!may_have_node_ports(service) || !may_have_node_ports(live)) return;
  Json* ports = service["spec"].find("ports");
  if (ports == nullptr || !ports->is_array()) return;
  auto used = node_ports_of(service);
  for (auto& port : ports->mutable_items()) {
    const Json& given = port;
    if (given["nodePort"].as_int() != 0) continue;
    port.erase("nodePort");
    for (const auto& old : live["spec"]["ports"].items()) {
      auto number = old["nodePort"].as_int();
      if (number == 0 || old["port"] != given["port"] || old["protocol"] != given["protocol"]) {
        continue;
      }
      if (std::find(used.begin(), used.end(), number) != used.end()) continue;
      used.push_back(number);
      port.set("nodePort", Json(static_cast<long long>(number)));
      break;
    }
  }
}

// A type change away from node ports drops those that the client did not change.
void drop_node_ports(Json& service, const Json& live) {
  if (live.is_null() || may_have_node_ports(service) || !may_have_node_ports(live)) return;
  auto before = node_ports_of(live);
  if (Json* ports = service["spec"].find("ports"); ports != nullptr && ports->is_array()) {
    for (auto& port : ports->mutable_items()) {
      auto number = std::as_const(port)["nodePort"].as_int();
      if (std::find(before.begin(), before.end(), number) != before.end()) port.erase("nodePort");
    }
  }
  for (auto field :
       {"externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"}) {
    if (std::as_const(service)["spec"][field] == live["spec"][field]) {
      service["spec"].erase(field);
    }
  }
}

}  // namespace

ServiceReservation::~ServiceReservation() {
  for (const auto& address : taken_ips_) ips_.release(address);
  for (auto port : taken_ports_) ports_.release(port);
}

void ServiceReservation::keep() {
  taken_ips_.clear();
  taken_ports_.clear();
  for (const auto& address : freed_ips_) ips_.release(address);
  for (auto port : freed_ports_) ports_.release(port);
  freed_ips_.clear();
  freed_ports_.clear();
}

api::FieldErrors ServiceReservation::fill(Json& service, const Json& live) {
  auto errors = fill_cluster_ip(service, live);
  if (!errors.empty()) return errors;
  return fill_node_ports(service, live);
}

api::FieldErrors ServiceReservation::fill_cluster_ip(Json& service, const Json& live) {
  const std::string before = cluster_ip_of(live);
  Json& spec = service["spec"];
  const Json& given = spec;
  const bool wanted = wants_cluster_ip(service);
  if (wanted && given["clusterIP"].as_string().empty()) {
    auto address = ips_.reserve_next();
    if (!address.is_ok()) {
      return {{api::FieldError::Type::internal, "spec.clusterIPs", "",
               std::string(address.status().message())}};
    }
    taken_ips_.push_back(*address);
    spec.set("clusterIP", *address);
  } else if (wanted && given["clusterIP"].as_string() != "None" &&
             given["clusterIP"].as_string() != before) {
    std::string address(given["clusterIP"].as_string());
    auto status = ips_.reserve(address);
    if (!status.is_ok()) {
      return {{api::FieldError::Type::invalid, "spec.clusterIPs",
               base::concat("[", base::quote(address), "]"), std::string(status.message())}};
    }
    taken_ips_.push_back(std::move(address));
  }
  if (wanted) spec.set("clusterIPs", Json::array({given["clusterIP"]}));
  if (!before.empty() && cluster_ip_of(service) != before) freed_ips_.push_back(before);
  return {};
}

api::FieldErrors ServiceReservation::fill_node_ports(Json& service, const Json& live) {
  const auto before = node_ports_of(live);
  auto held = [&](std::int64_t port) {
    return std::find(before.begin(), before.end(), port) != before.end() ||
           std::find(taken_ports_.begin(), taken_ports_.end(), port) != taken_ports_.end();
  };
  Json& spec = service["spec"];
  Json* ports = spec.find("ports");
  const std::size_t count = ports != nullptr && ports->is_array() ? ports->size() : 0;
  // Named ports first, so that none of them is given to a port that left the choice to us.
  for (std::size_t i = 0; i < count && may_have_node_ports(service); ++i) {
    auto number = ports->items()[i]["nodePort"].as_int();
    if (number == 0 || held(number)) continue;
    auto status = ports_.reserve(number);
    if (!status.is_ok()) {
      return {port_error(base::concat("spec.ports[", i, "].nodePort"), number, status)};
    }
    taken_ports_.push_back(number);
  }
  for (std::size_t i = 0; i < count && wants_node_ports(service); ++i) {
    Json& port = ports->mutable_items()[i];
    const Json& given = port;
    if (given["nodePort"].as_int() != 0) continue;
    // The same number serves both protocols of one port.
    std::int64_t number = 0;
    for (const auto& other : ports->items()) {
      if (other["port"] == given["port"] && other["protocol"] != given["protocol"]) {
        number = std::max(number, other["nodePort"].as_int());
      }
    }
    if (number == 0) {
      auto reserved = ports_.reserve_next();
      if (!reserved.is_ok()) {
        return {{api::FieldError::Type::internal, base::concat("spec.ports[", i, "].nodePort"), "",
                 base::concat("failed to allocate a nodePort: ", reserved.status().message())}};
      }
      number = *reserved;
      taken_ports_.push_back(number);
    }
    port.set("nodePort", Json(static_cast<long long>(number)));
  }
  if (wants_health_check_port(service)) {
    auto number = std::as_const(spec)["healthCheckNodePort"].as_int();
    if (number == 0) {
      auto reserved = ports_.reserve_next();
      if (!reserved.is_ok()) {
        return {{api::FieldError::Type::internal, "spec.healthCheckNodePort", "",
                 std::string(reserved.status().message())}};
      }
      taken_ports_.push_back(*reserved);
      spec.set("healthCheckNodePort", Json(static_cast<int>(*reserved)));
    } else if (!held(number)) {
      auto status = ports_.reserve(number);
      if (!status.is_ok()) return {port_error("spec.healthCheckNodePort", number, status)};
      taken_ports_.push_back(number);
    }
  }
  const auto after = node_ports_of(service);
  for (auto port : before) {
    if (std::find(after.begin(), after.end(), port) == after.end()) freed_ports_.push_back(port);
  }
  return {};
}

std::unique_ptr<ServiceReservation> ServiceAllocator::begin() {
  return std::make_unique<ServiceReservation>(*ips_, *ports_);
}

void ServiceAllocator::adopt(const Json& service) {
  auto address = cluster_ip_of(service);
  // A service outside of today's ranges keeps working; there is nothing to reserve then.
  if (!address.empty()) (void)ips_->reserve(address);
  for (auto port : node_ports_of(service)) (void)ports_->reserve(port);
}

void ServiceAllocator::release(const Json& service) {
  auto address = cluster_ip_of(service);
  if (!address.empty()) ips_->release(address);
  for (auto port : node_ports_of(service)) ports_->release(port);
}

void normalize_service(Json& service, const Json& live) {
  Json& spec = service["spec"];
  const Json& given = spec;
  if (given["type"].as_string("ClusterIP") == "ExternalName") {
    // What only services with an address have goes with a change of the type.
    for (auto field : {"ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"}) {
      if (!live.is_null() && given[field] == live["spec"][field]) spec.erase(field);
    }
    if (!live.is_null() && wants_cluster_ip(live)) {
      for (auto field : {"clusterIP", "clusterIPs"}) {
        if (given[field] == live["spec"][field]) spec.erase(field);
      }
    }
    for (auto field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      if (given[field].is_null()) spec.erase(field);
    }
    drop_node_ports(service, live);
    return;
  }
  if (!live.is_null() && given["clusterIP"].as_string().empty() && wants_cluster_ip(live)) {
    spec.set("clusterIP", live["spec"]["clusterIP"].as_string());
  }
  if (given["clusterIP"].as_string().empty() && !given["clusterIPs"].empty()) {
    spec.set("clusterIP", given["clusterIPs"].item(0));
  }
  if (!given["clusterIP"].as_string().empty()) {
    spec.set("clusterIPs", Json::array({given["clusterIP"]}));
  } else {
    spec.erase("clusterIP");
    spec.erase("clusterIPs");
  }
  const bool free_headless = given["clusterIP"].as_string() == "None" && given["selector"].empty();
  if (given["ipFamilies"].empty()) {
    spec.set("ipFamilies", Json::array({Json("IPv4")}));
    if (free_headless && given["ipFamilyPolicy"].as_string("RequireDualStack") != "SingleStack") {
      spec["ipFamilies"].push_back(Json("IPv6"));
    }
  }
  if (given["ipFamilyPolicy"].as_string().empty()) {
    spec.set("ipFamilyPolicy", free_headless ? "RequireDualStack" : "SingleStack");
  }
  for (auto field : {"clusterIP", "clusterIPs"}) {
    if (given[field].is_null()) spec.erase(field);
  }
  if (!live.is_null()) {
    copy_node_ports(service, live);
    drop_node_ports(service, live);
  }
}

}  // namespace skiff::registry
