#include "net/address_pool.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "net/limits.h"

#include <arpa/inet.h>

namespace skiff::net {

base::Result<Ipv4Network> parse_ipv4_network(std::string_view text) {
  auto parts = base::split(text, '/');
  auto bits = parts.size() == 2 ? base::parse_int(parts[1]) : std::nullopt;
  in_addr address{};
  if (!bits || *bits < 8 || *bits > 30 ||
      inet_pton(AF_INET, std::string(parts[0]).c_str(), &address) != 1)
    return base::invalid_argument(
        base::concat(base::quote(text), " is not an IPv4 network between /8 and /30"));
  std::uint32_t mask = ~((1u << (32 - *bits)) - 1);
  return Ipv4Network{ntohl(address.s_addr) & mask, static_cast<int>(*bits)};
}

std::string format_ipv4(std::uint32_t address) {
  in_addr raw{htonl(address)};
  char buffer[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &raw, buffer, sizeof buffer);
}

namespace {

base::Result<std::uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return base::invalid_argument(base::concat(base::quote(text), " is not an IPv4 address"));
  return ntohl(address.s_addr);
}

}  // namespace

std::uint32_t plan_next_address(const Ipv4Network& network, std::uint32_t last,
                                const std::map<std::uint32_t, std::string>& taken) {
  const std::uint32_t size = 1u << (32 - network.prefix_bits);
  const std::uint32_t first = network.address + 2, end = network.address + size - 1;
  const std::uint32_t count = end - first;
  if (taken.size() >= count || taken.size() >= kPodAddressesMax) return 0;
  std::uint32_t candidate = last >= first && last + 1 < end ? last + 1 : first;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (taken.count(candidate) == 0) return candidate;
    candidate = candidate + 1 < end ? candidate + 1 : first;
  }
  return 0;
}

base::Result<AddressPool> AddressPool::open(std::string folder, Ipv4Network network) {
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, 0700));
  AddressPool pool;
  pool.path_ = base::concat(folder, "/allocations");
  pool.network_ = network;
  auto text = sys::read_file(pool.path_, kAllocationFileBytesMax);
  if (text.code() == base::Code::not_found) return pool;
  if (!text) return text.status();
  for (auto line : base::split(*text, '\n')) {
    auto words = base::split(line, ' ');
    if (words.size() < 2) continue;
    auto address = parse_ipv4(words[1]);
    if (!address) return address.status().with_context(pool.path_);
    if (words.size() == 2) {
      pool.last_ = *address;
      continue;
    }
    pool.by_uid_.emplace(words[0], PodAddress{std::string(words[1]), std::string(words[2])});
    pool.by_address_.emplace(*address, words[0]);
  }
  return pool;
}

base::Status AddressPool::save() const {
  std::string text = base::concat("last ", format_ipv4(last_), "\n");
  for (const auto& [uid, address] : by_uid_)
    text += base::concat(uid, " ", address.ipv4, " ", address.interface_name, "\n");
  // Neither links nor namespaces survive a power cut, so neither needs this.
  return sys::write_file_atomic(path_, text, 0600, sys::Sync::no);
}

base::Result<PodAddress> AddressPool::acquire(const std::string& pod_uid,
                                              std::string interface_name) {
  if (auto it = by_uid_.find(pod_uid); it != by_uid_.end()) return it->second;
  std::uint32_t address = plan_next_address(network_, last_, by_address_);
  if (address == 0)
    return base::unavailable(base::concat("all ", by_uid_.size(), " pod addresses of ",
                                          format_ipv4(network_.address), "/", network_.prefix_bits,
                                          " are in use on this node"));
  PodAddress made{format_ipv4(address), std::move(interface_name)};
  by_uid_.emplace(pod_uid, made);
  by_address_.emplace(address, pod_uid);
  std::uint32_t previous = std::exchange(last_, address);
  if (auto saved = save(); !saved) {
    by_uid_.erase(pod_uid);
    by_address_.erase(address);
    last_ = previous;
    return saved.with_context("remember a pod address");
  }
  return made;
}

base::Status AddressPool::release(const std::string& pod_uid) {
  auto it = by_uid_.find(pod_uid);
  if (it == by_uid_.end()) return base::Status::ok();
  SKIFF_ASSIGN_OR_RETURN(std::uint32_t address, parse_ipv4(it->second.ipv4));
  by_address_.erase(address);
  by_uid_.erase(it);
  return save().with_context("forget a pod address");
}

}  // namespace skiff::net
