// Asks the host's resolvers on behalf of a client.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/random.h>
#include <skiff/loop/loop.h>

#include "net/resolvers.h"

#include <string>

namespace skiff::net {

// Loop-only.
class DnsForwarder {
 public:
  DnsForwarder(loop::Loop& loop, base::Random& random, Resolvers resolvers)
      : loop_(loop), random_(random), resolvers_(std::move(resolvers)) {}

  // The first answer of a resolver to `query` (a whole message), with the query's id. Tries each
  // in turn. Errors: unavailable (none is configured or answers, too many under way), cancelled.
  base::Task<base::Result<std::string>> ask(std::string query, bool over_tcp,
                                            base::CancelToken cancel);

 private:
  base::Task<base::Result<std::string>> ask_one(std::string server, std::string query,
                                                bool over_tcp, base::CancelToken cancel);
  base::Task<base::Result<std::string>> ask_over_udp(int fd, std::string query,
                                                     base::CancelToken cancel);
  base::Task<base::Result<std::string>> ask_over_tcp(int fd, std::string query,
                                                     base::CancelToken cancel);

  loop::Loop& loop_;
  base::Random& random_;
  Resolvers resolvers_;
  std::size_t under_way_ = 0;
};

// The two-byte length and the message; whole messages over a TCP stream. Loop-only.
base::Task<base::Status> write_dns_stream(loop::Loop& loop, int fd, std::string message,
                                          base::CancelToken cancel);
base::Task<base::Result<std::string>> read_dns_stream(loop::Loop& loop, int fd,
                                                      base::CancelToken cancel);

}  // namespace skiff::net
