#include "net/resolvers.h"

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "net/limits.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>

namespace skiff::net {

std::vector<std::string> parse_resolv_conf(std::string_view text) {
  std::vector<std::string> servers;
  for (auto line : base::split(text, '\n')) {
    constexpr std::string_view kKeyword = "nameserver";
    if (!base::starts_with(line, kKeyword)) continue;
    std::string address(base::trim(line.substr(kKeyword.size())));
    in_addr parsed{};
    if (inet_pton(AF_INET, address.c_str(), &parsed) != 1) continue;
    if (servers.size() < kDnsResolversMax) servers.push_back(std::move(address));
  }
  return servers;
}

const std::vector<std::string>& Resolvers::current() {
  struct stat info {};
  std::int64_t changed = -1;
  if (stat(path_.c_str(), &info) == 0)
    changed = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (changed == changed_at_ns_ && info.st_ino == inode_) return servers_;
  changed_at_ns_ = changed;
  inode_ = info.st_ino;
  auto text = sys::read_file(path_, kResolvConfBytesMax);
  servers_ = text ? parse_resolv_conf(*text) : std::vector<std::string>();
  std::erase_if(servers_, [&](const std::string& server) {
    return std::find(own_.begin(), own_.end(), server) != own_.end();
  });
  return servers_;
}

}  // namespace skiff::net
