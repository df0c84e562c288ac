// The DNS server of a node: answers for the cluster from a source of records, everything else from
// the host's resolvers. UDP and TCP (RFC 1035, RFC 7766), EDNS (RFC 6891).
#pragma once

#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/loop/loop.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::net {

enum class DnsType : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
  txt = 16,
  aaaa = 28,
  srv = 33,
  opt = 41,
  any = 255,
};

// Names are lower case, without the final dot.
struct DnsRecord {
  std::string name;
  DnsType type = DnsType::a;
  std::uint32_t ttl_seconds = 5;
  std::string data;  // a: dotted decimal; cname, ptr and srv: a name
  std::uint16_t priority = 0, weight = 0, port = 0;  // srv
};

struct DnsAnswer {
  // Whose name is it: `not_ours` goes to the host's resolvers.
  enum class Outcome : unsigned char { not_ours, no_such_name, found };
  Outcome outcome = Outcome::not_ours;
  std::vector<DnsRecord> records;     // may be empty: the name has no record of this type
  std::vector<DnsRecord> additional;  // addresses of SRV targets
};

// Loop-only: asked on the server's loop; must not block.
class DnsSource {
 public:
  virtual ~DnsSource() = default;
  virtual DnsAnswer look_up(std::string_view name, DnsType type) = 0;
};

struct DnsOptions {
  std::vector<std::string> addresses;  // to bind; each must be one of this host
  std::uint16_t port = 53;
  std::string zone = "cluster.local";            // of the SOA in negative answers
  std::string resolv_conf = "/etc/resolv.conf";  // read again when it changes
};

struct DnsCounters {
  std::uint64_t queries = 0, forwarded = 0, refused = 0;
};

// Loop-only, except counters(). Stops when destroyed after stop() returned.
class DnsServer {
 public:
  virtual ~DnsServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual base::Task<void> stop() = 0;
  virtual DnsCounters counters() const = 0;
};
// The source outlives the server. Errors: unavailable when an address or the port is taken.
base::Result<std::unique_ptr<DnsServer>> make_dns_server(loop::Loop& loop, base::Random& random,
                                                         DnsSource& source,
                                                         const DnsOptions& options);

}  // namespace skiff::net
