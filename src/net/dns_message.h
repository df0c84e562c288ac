// DNS messages: queries in, answers out. Pure; hostile input is bounded and refused.
#pragma once

#include <skiff/base/result.h>
#include <skiff/net/dns.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::net {

enum class DnsCode : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5,
};

struct DnsQuery {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  std::string name;  // lower case, without the final dot
  DnsType type = DnsType::a;
  std::uint16_t klass = 1;
  std::string question;  // the question section as it came, for the answer
  bool has_edns = false;
  std::size_t udp_bytes_max = 512;
};

// Errors: invalid_argument for what is no query of one question.
base::Result<DnsQuery> parse_dns_query(std::string_view message);

// An answer; with more than `bytes_max` bytes, the truncated form with the TC bit.
std::string write_dns_answer(const DnsQuery& query, DnsCode code, const DnsAnswer& answer,
                             std::string_view zone, std::size_t bytes_max);
// For a message that parse_dns_query refuses: FORMERR with its id; empty when there is no id, or
// when it is an answer itself.
std::string write_dns_format_error(std::string_view message);

// A query of our own for a resolver.
std::string write_dns_query(std::uint16_t id, std::string_view name, DnsType type);
// Whether `answer` answers `query` (id and question, letter case aside).
bool is_answer_to(std::string_view answer, std::string_view query);
// The address records of an answer, for the target of a CNAME. Anything malformed ends the list.
std::vector<DnsRecord> read_dns_addresses(std::string_view answer);

}  // namespace skiff::net
