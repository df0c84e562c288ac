// The names of the cluster, by the rules of kubernetes/dns 1.1.0, from the Services' table.
#pragma once

#include "agent/proxy/service_table.h"

#include <skiff/net/dns.h>

namespace skiff::agent {

// Loop-only. The table outlives it.
class DnsRecords final : public net::DnsSource {
 public:
  // `reverse_ranges`: reverse names inside are ours even when nobody has the address.
  DnsRecords(const ServiceTable& table, std::string cluster_domain,
             std::vector<std::string> reverse_ranges)
      : table_(table),
        domain_(std::move(cluster_domain)),
        reverse_ranges_(std::move(reverse_ranges)) {}

  net::DnsAnswer look_up(std::string_view name, net::DnsType type) override;

 private:
  // `labels` are those left of the cluster domain.
  net::DnsAnswer look_up_service(std::string_view name, net::DnsType type,
                                 const std::vector<std::string_view>& labels, int alias_steps);
  net::DnsAnswer look_up_ours(std::string_view name, net::DnsType type, int alias_steps);
  net::DnsAnswer look_up_pod(std::string_view name, net::DnsType type, std::string_view dashed);
  net::DnsAnswer look_up_reverse(std::string_view name, net::DnsType type);
  net::DnsAnswer alias_of(std::string_view name, net::DnsType type, const ServiceModel& service,
                          int alias_steps);
  net::DnsAnswer addresses_of(std::string_view name, net::DnsType type,
                              const ServiceModel& service);
  net::DnsAnswer endpoint_address(std::string_view name, net::DnsType type,
                                  const ServiceModel& service, std::string_view endpoint_name);
  net::DnsAnswer ports_of(std::string_view name, net::DnsType type, const ServiceModel& service,
                          std::string_view port_name, std::string_view protocol);
  std::string service_name(const ServiceModel& service) const;

  const ServiceTable& table_;
  const std::string domain_;
  const std::vector<std::string> reverse_ranges_;
};

}  // namespace skiff::agent
