// Reads the base chains of all tables (NFT_MSG_GETCHAIN), as nft(8) does.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <skiff/net/packet_rules.h>

#include <skiff/base/strings.h>

#include "net/limits.h"

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <cerrno>
#include <memory>

namespace skiff::net {

namespace {

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
struct FreeChain {
  void operator()(nftnl_chain* chain) const { nftnl_chain_free(chain); }
};

// Empty for families that see no packet of a pod.
std::string_view family_name(std::uint32_t family) {
  if (family == NFPROTO_IPV4) return "ip";
  return family == NFPROTO_INET ? "inet" : "";
}

// "ip filter FORWARD" when the chain drops what is forwarded and no rule takes; else empty.
std::string drop_of(const nlmsghdr* header) {
  std::unique_ptr<nftnl_chain, FreeChain> chain(nftnl_chain_alloc());
  if (!chain || nftnl_chain_nlmsg_parse(header, chain.get()) < 0) return {};
  auto number = [&](std::uint16_t attribute) {
    return nftnl_chain_get_u32(chain.get(), attribute);
  };
  const bool is_base = nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_HOOKNUM);
  const auto family = family_name(number(NFTNL_CHAIN_FAMILY));
  if (!is_base || family.empty() || number(NFTNL_CHAIN_HOOKNUM) != NF_INET_FORWARD ||
      number(NFTNL_CHAIN_POLICY) != NF_DROP)
    return {};
  return base::concat(family, " ", nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TABLE), " ",
                      nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_NAME));
}

}  // namespace

base::Result<std::vector<std::string>> find_forward_drops() {
  std::unique_ptr<mnl_socket, CloseSocket> socket(mnl_socket_open(NETLINK_NETFILTER));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return base::errno_status(errno, "open a netfilter socket");
  std::string page(kBatchPageBytes, '\0');
  auto* request =
      nftnl_nlmsg_build_hdr(page.data(), NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, 1);
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
    return base::errno_status(errno, "ask for the chains of packet rules");
  std::vector<std::string> drops;
  for (;;) {
    ssize_t size = mnl_socket_recvfrom(socket.get(), page.data(), page.size());
    if (size < 0) return base::errno_status(errno, "read the chains of packet rules");
    int left = static_cast<int>(size);
    for (auto* header = reinterpret_cast<const nlmsghdr*>(page.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type == NLMSG_DONE) return drops;
      if (header->nlmsg_type == NLMSG_ERROR) {
        auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
        return base::errno_status(-answer->error, "read the chains of packet rules");
      }
      if (auto drop = drop_of(header); !drop.empty()) drops.push_back(std::move(drop));
    }
  }
}

}  // namespace skiff::net
