// Addresses and ports of services, as one reservation per request.
#pragma once

#include <skiff/api/validation.h>
#include <skiff/codec/json.h>

#include <memory>
#include <string>
#include <vector>

#include "registry/allocators/ip_allocator.h"

namespace skiff::registry {

// What one request took, and what its success sets free. Given back unless kept: a refused
// request and a dry run consume nothing. Thread-compatible.
class ServiceReservation {
 public:
  ServiceReservation(IpAllocator& ips, PortAllocator& ports) : ips_(ips), ports_(ports) {}
  ~ServiceReservation();
  ServiceReservation(const ServiceReservation&) = delete;
  ServiceReservation& operator=(const ServiceReservation&) = delete;

  // Fills spec.clusterIP(s), spec.ports[].nodePort and spec.healthCheckNodePort of `service`.
  // `live` is null for a create; what it holds is kept where the type still wants it.
  api::FieldErrors fill(codec::Json& service, const codec::Json& live);
  // The write succeeded.
  void keep();

 private:
  api::FieldErrors fill_cluster_ip(codec::Json& service, const codec::Json& live);
  api::FieldErrors fill_node_ports(codec::Json& service, const codec::Json& live);

  IpAllocator& ips_;
  PortAllocator& ports_;
  std::vector<std::string> taken_ips_, freed_ips_;
  std::vector<std::int64_t> taken_ports_, freed_ports_;
};

// Thread-safe.
class ServiceAllocator {
 public:
  ServiceAllocator(std::unique_ptr<IpAllocator> ips, std::unique_ptr<PortAllocator> ports)
      : ips_(std::move(ips)), ports_(std::move(ports)) {}

  std::unique_ptr<ServiceReservation> begin();
  // A service that was stored before this process started, or one that is gone.
  void adopt(const codec::Json& service);
  void release(const codec::Json& service);
  IpAllocator& ips() { return *ips_; }
  PortAllocator& ports() { return *ports_; }

 private:
  std::unique_ptr<IpAllocator> ips_;
  std::unique_ptr<PortAllocator> ports_;
};

// Families, policy and clusterIPs as upstream fills them on a single-stack IPv4 cluster; fields
// that the type does not have are dropped. `live` is null for a create.
void normalize_service(codec::Json& service, const codec::Json& live);

}  // namespace skiff::registry
