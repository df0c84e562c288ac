// The host's resolvers, as resolv.conf(5) names them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::net {

// IPv4 nameservers in order, at most three. Pure.
std::vector<std::string> parse_resolv_conf(std::string_view text);

// Reads the file again only when it changed. Loop-only.
class Resolvers {
 public:
  // `own_addresses` are left out: a server must not forward to itself.
  Resolvers(std::string path, std::vector<std::string> own_addresses)
      : path_(std::move(path)), own_(std::move(own_addresses)) {}
  const std::vector<std::string>& current();

 private:
  const std::string path_;
  const std::vector<std::string> own_;
  std::vector<std::string> servers_;
  std::int64_t changed_at_ns_ = -1;
  std::uint64_t inode_ = 0;
};

}  // namespace skiff::net
