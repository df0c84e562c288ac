// DNS messages from pods and from resolvers.
#include "net/dns_message.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  auto query = skiff::net::parse_dns_query(message);
  if (query) {
    skiff::net::DnsAnswer answer;
    answer.outcome = skiff::net::DnsAnswer::Outcome::found;
    answer.records.push_back({query->name, skiff::net::DnsType::srv, 5, query->name, 1, 2, 3});
    skiff::net::write_dns_answer(*query, skiff::net::DnsCode::no_error, answer, "cluster.local",
                                 512);
  }
  skiff::net::read_dns_addresses(message);
  skiff::net::is_answer_to(message, message);
  skiff::net::write_dns_format_error(message);
  return 0;
}
