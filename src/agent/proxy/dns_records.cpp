#include "agent/proxy/dns_records.h"

#include "agent/limits.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::agent {

namespace {

using net::DnsAnswer;
using net::DnsRecord;
using net::DnsType;
using Labels = std::vector<std::string_view>;

bool wants(DnsType asked, DnsType type) { return asked == type || asked == DnsType::any; }

DnsAnswer answer_with(DnsAnswer::Outcome outcome) {
  DnsAnswer answer;
  answer.outcome = outcome;
  return answer;
}
DnsAnswer no_such_name() { return answer_with(DnsAnswer::Outcome::no_such_name); }
DnsAnswer no_records() { return answer_with(DnsAnswer::Outcome::found); }

DnsRecord make_record(std::string_view name, DnsType type, std::string data) {
  DnsRecord record;
  record.name = name;
  record.type = type;
  record.ttl_seconds = kServiceTtlSeconds;
  record.data = std::move(data);
  return record;
}

std::string dashed(std::string address) {
  std::replace(address.begin(), address.end(), '.', '-');
  return address;
}

// "10-42-0-7" as an address; nullopt for anything else.
std::optional<std::string> undashed(std::string_view label) {
  std::string address(label);
  std::replace(address.begin(), address.end(), '-', '.');
  if (!parse_ipv4(address)) return std::nullopt;
  return address;
}

std::string endpoint_label(const EndpointModel& endpoint) {
  return endpoint.hostname.empty() ? dashed(endpoint.address) : endpoint.hostname;
}

// Every ready endpoint once, with its slice.
template <class Visit>
void each_ready(const SliceModels* slices, Visit visit) {
  if (slices == nullptr) return;
  std::set<std::string_view> seen;
  for (const auto& entry : *slices)
    for (const EndpointModel& endpoint : entry.second.endpoints) {
      if (seen.size() >= kAnswerEndpointsMax) return;
      if (endpoint.ready && seen.insert(endpoint.address).second) visit(endpoint, entry.second);
    }
}

}  // namespace

std::string DnsRecords::service_name(const ServiceModel& service) const {
  return base::concat(service.name, ".", service.namespace_name, ".svc.", domain_);
}

DnsAnswer DnsRecords::look_up(std::string_view name, DnsType type) {
  if (base::ends_with(name, ".in-addr.arpa")) return look_up_reverse(name, type);
  return look_up_ours(name, type, 0);
}

DnsAnswer DnsRecords::look_up_ours(std::string_view name, DnsType type, int alias_steps) {
  if (name == domain_) return no_records();
  std::string suffix = "." + domain_;
  if (!base::ends_with(name, suffix)) return {};
  std::string_view rest = name.substr(0, name.size() - suffix.size());
  if (rest == "dns-version") {
    DnsAnswer answer = no_records();
    if (wants(type, DnsType::txt))
      answer.records.push_back(make_record(name, DnsType::txt, "1.1.0"));
    return answer;
  }
  Labels labels = base::split(rest, '.');
  std::string_view kind = labels.back();
  if (kind == "svc") {
    if (labels.size() == 1) return no_records();
    if (labels.size() == 2) return table_.has_namespace(labels[0]) ? no_records() : no_such_name();
    return look_up_service(name, type, labels, alias_steps);
  }
  if (kind == "pod") {
    if (labels.size() <= 2) return no_records();
    if (labels.size() == 3) return look_up_pod(name, type, labels[0]);
  }
  return no_such_name();
}

DnsAnswer DnsRecords::look_up_pod(std::string_view name, DnsType type, std::string_view label) {
  auto address = undashed(label);
  if (!address) return no_such_name();
  DnsAnswer answer = no_records();
  if (wants(type, DnsType::a))
    answer.records.push_back(make_record(name, DnsType::a, std::move(*address)));
  return answer;
}

DnsAnswer DnsRecords::look_up_service(std::string_view name, DnsType type, const Labels& labels,
                                      int alias_steps) {
  std::size_t at = labels.size() - 3;
  const ServiceModel* service = table_.find(base::concat(labels[at + 1], "/", labels[at]));
  if (service == nullptr) return no_such_name();
  if (at == 0) {
    if (!service->external_name.empty()) return alias_of(name, type, *service, alias_steps);
    if (type == DnsType::srv) return ports_of(name, type, *service, {}, {});
    return addresses_of(name, type, *service);
  }
  if (!service->external_name.empty()) return no_such_name();
  if (at == 1) {
    bool protocol = labels[0] == "_tcp" || labels[0] == "_udp";
    return protocol ? ports_of(name, type, *service, {}, labels[0].substr(1))
                    : endpoint_address(name, type, *service, labels[0]);
  }
  bool port = at == 2 && labels[0].size() > 1 && labels[0][0] == '_' && labels[1].size() > 1 &&
              labels[1][0] == '_';
  if (!port) return no_such_name();
  return ports_of(name, type, *service, labels[0].substr(1), labels[1].substr(1));
}

DnsAnswer DnsRecords::alias_of(std::string_view name, DnsType type, const ServiceModel& service,
                               int alias_steps) {
  DnsAnswer answer = no_records();
  answer.records.push_back(make_record(name, DnsType::cname, service.external_name));
  // A target of ours is followed here; the server asks the host's resolvers for any other.
  if (type == DnsType::cname || alias_steps >= kAliasStepsMax) return answer;
  DnsAnswer target = look_up_ours(service.external_name, type, alias_steps + 1);
  for (auto& record : target.records) answer.records.push_back(std::move(record));
  return answer;
}

DnsAnswer DnsRecords::addresses_of(std::string_view name, DnsType type,
                                   const ServiceModel& service) {
  DnsAnswer answer = no_records();
  if (!service.cluster_ip.empty()) {
    if (wants(type, DnsType::a))
      answer.records.push_back(make_record(name, DnsType::a, service.cluster_ip));
    return answer;
  }
  bool any = false;
  each_ready(table_.slices_of(service.key()), [&](const EndpointModel& endpoint, const auto&) {
    any = true;
    if (wants(type, DnsType::a))
      answer.records.push_back(make_record(name, DnsType::a, endpoint.address));
  });
  // A headless Service without ready endpoints does not exist for clients, as with CoreDNS.
  return any ? answer : no_such_name();
}

DnsAnswer DnsRecords::endpoint_address(std::string_view name, DnsType type,
                                       const ServiceModel& service,
                                       std::string_view endpoint_name) {
  DnsAnswer answer = no_records();
  bool any = false;
  each_ready(table_.slices_of(service.key()), [&](const EndpointModel& endpoint, const auto&) {
    if (endpoint_label(endpoint) != endpoint_name) return;
    any = true;
    if (wants(type, DnsType::a))
      answer.records.push_back(make_record(name, DnsType::a, endpoint.address));
  });
  return any ? answer : no_such_name();
}

DnsAnswer DnsRecords::ports_of(std::string_view name, DnsType type, const ServiceModel& service,
                               std::string_view port_name, std::string_view protocol) {
  DnsAnswer answer = no_records();
  bool any = false;
  auto matches = [&](const ServicePort& port) {
    bool same_name = port_name.empty() || base::to_lower(port.name) == port_name;
    return same_name && (protocol.empty() || base::to_lower(port.protocol) == protocol);
  };
  auto add = [&](const std::string& target, const std::string& address, const ServicePort& port) {
    any = true;
    if (!wants(type, DnsType::srv)) return;
    DnsRecord record = make_record(name, DnsType::srv, target);
    record.weight = 100;
    record.port = port.port;
    answer.records.push_back(std::move(record));
    auto same = [&](const DnsRecord& r) { return r.name == target; };
    if (std::none_of(answer.additional.begin(), answer.additional.end(), same))
      answer.additional.push_back(make_record(target, DnsType::a, address));
  };
  std::string own_name = service_name(service);
  if (!service.cluster_ip.empty()) {
    for (const ServicePort& port : service.ports)
      if (matches(port)) add(own_name, service.cluster_ip, port);
  } else {
    each_ready(table_.slices_of(service.key()),
               [&](const EndpointModel& endpoint, const SliceModel& slice) {
                 std::string target = base::concat(endpoint_label(endpoint), ".", own_name);
                 for (const ServicePort& port : slice.ports)
                   if (matches(port)) add(target, endpoint.address, port);
               });
  }
  if (!any) return no_such_name();
  std::size_t total = answer.records.size();
  if (total > 1)
    for (DnsRecord& record : answer.records)
      record.weight = static_cast<std::uint16_t>(std::max<std::size_t>(1, 100 / total));
  return answer;
}

DnsAnswer DnsRecords::look_up_reverse(std::string_view name, DnsType type) {
  Labels labels = base::split(name, '.');
  if (labels.size() != 6) return {};
  std::string address = base::concat(labels[3], ".", labels[2], ".", labels[1], ".", labels[0]);
  auto number = parse_ipv4(address);
  if (!number) return {};
  std::vector<std::string> names;
  if (const ServiceModel* service = table_.by_cluster_ip(address))
    names.push_back(service_name(*service));
  for (const std::string& key : table_.by_endpoint(address)) {
    const ServiceModel* service = table_.find(key);
    if (service == nullptr) continue;
    each_ready(table_.slices_of(key), [&](const EndpointModel& endpoint, const auto&) {
      if (endpoint.address == address)
        names.push_back(base::concat(endpoint_label(endpoint), ".", service_name(*service)));
    });
  }
  if (names.empty()) {
    auto ours = [&](const std::string& range) { return is_in_cidr(*number, range); };
    bool in_cluster = std::any_of(reverse_ranges_.begin(), reverse_ranges_.end(), ours);
    return in_cluster ? no_such_name() : DnsAnswer();
  }
  DnsAnswer answer = no_records();
  if (wants(type, DnsType::ptr))
    for (auto& target : names)
      answer.records.push_back(make_record(name, DnsType::ptr, std::move(target)));
  return answer;
}

}  // namespace skiff::agent
