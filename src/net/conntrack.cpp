#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/conntrack.h"

#include "net/limits.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace skiff::net {

namespace {

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

struct Flow {
  std::string original_tuple;  // the attribute's payload, to name the flow when it is deleted
  std::uint8_t protocol = 0;
  std::uint32_t reply_source = 0;  // network byte order
  std::uint16_t reply_source_port = 0;
};

nlmsghdr* begin(void* buffer, std::uint16_t type, std::uint16_t flags, std::uint32_t sequence) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer);
  header->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header->nlmsg_seq = sequence;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  family->nfgen_family = AF_INET;
  family->version = NFNETLINK_V0;
  return header;
}

// One pass over a tuple's attributes: addresses and ports are two levels down.
int read_reply_tuple(const nlattr* attribute, void* data) {
  auto* flow = static_cast<Flow*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case CTA_TUPLE_IP:
      return mnl_attr_parse_nested(
          attribute,
          [](const nlattr* ip, void* d) -> int {
            if (mnl_attr_get_type(ip) == CTA_IP_V4_SRC && mnl_attr_get_payload_len(ip) == 4)
              static_cast<Flow*>(d)->reply_source = mnl_attr_get_u32(ip);
            return MNL_CB_OK;
          },
          flow);
    case CTA_TUPLE_PROTO:
      return mnl_attr_parse_nested(
          attribute,
          [](const nlattr* part, void* d) -> int {
            auto* f = static_cast<Flow*>(d);
            if (mnl_attr_get_type(part) == CTA_PROTO_NUM && mnl_attr_get_payload_len(part) == 1)
              f->protocol = mnl_attr_get_u8(part);
            if (mnl_attr_get_type(part) == CTA_PROTO_SRC_PORT &&
                mnl_attr_get_payload_len(part) == 2)
              f->reply_source_port = ntohs(mnl_attr_get_u16(part));
            return MNL_CB_OK;
          },
          flow);
    default: return MNL_CB_OK;
  }
}

int read_flow(const nlattr* attribute, void* data) {
  auto* flow = static_cast<Flow*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case CTA_TUPLE_ORIG:
      flow->original_tuple.assign(static_cast<const char*>(mnl_attr_get_payload(attribute)),
                                  mnl_attr_get_payload_len(attribute));
      return MNL_CB_OK;
    case CTA_TUPLE_REPLY: return mnl_attr_parse_nested(attribute, read_reply_tuple, flow);
    default: return MNL_CB_OK;
  }
}

struct Search {
  const std::vector<RuleEndpoint>* endpoints;
  std::vector<std::string> found;
};

bool is_wanted(const Flow& flow, const std::vector<RuleEndpoint>& endpoints) {
  if (flow.protocol != IPPROTO_UDP) return false;
  for (const auto& endpoint : endpoints) {
    in_addr address{};
    if (inet_pton(AF_INET, endpoint.address.c_str(), &address) == 1 &&
        address.s_addr == flow.reply_source && endpoint.port == flow.reply_source_port)
      return true;
  }
  return false;
}

int collect(const nlmsghdr* header, void* data) {
  auto* search = static_cast<Search*>(data);
  Flow flow;
  mnl_attr_parse(header, sizeof(nfgenmsg), read_flow, &flow);
  if (is_wanted(flow, *search->endpoints)) search->found.push_back(std::move(flow.original_tuple));
  return MNL_CB_OK;
}

}  // namespace

base::Status forget_udp_flows(const std::vector<RuleEndpoint>& endpoints) {
  if (endpoints.empty()) return base::Status::ok();
  std::unique_ptr<mnl_socket, CloseSocket> socket(mnl_socket_open(NETLINK_NETFILTER));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return base::errno_status(errno, "open the connection tracking socket");
  unsigned port = mnl_socket_get_portid(socket.get());
  std::string page(kBatchPageBytes, '\0');
  nlmsghdr* dump = begin(page.data(), IPCTNL_MSG_CT_GET, NLM_F_DUMP, 1);
  if (mnl_socket_sendto(socket.get(), dump, dump->nlmsg_len) < 0)
    return base::errno_status(errno, "list tracked connections");
  Search search{&endpoints, {}};
  for (;;) {
    ssize_t size = mnl_socket_recvfrom(socket.get(), page.data(), page.size());
    if (size < 0) return base::errno_status(errno, "list tracked connections");
    int result = mnl_cb_run(page.data(), static_cast<std::size_t>(size), 1, port, collect, &search);
    if (result < 0) return base::errno_status(errno, "list tracked connections");
    if (result <= MNL_CB_STOP) break;
  }
  std::uint32_t sequence = 2;
  for (const auto& tuple : search.found) {
    nlmsghdr* gone = begin(page.data(), IPCTNL_MSG_CT_DELETE, NLM_F_ACK, sequence);
    mnl_attr_put(gone, NLA_F_NESTED | CTA_TUPLE_ORIG, tuple.size(), tuple.data());
    if (mnl_socket_sendto(socket.get(), gone, gone->nlmsg_len) < 0)
      return base::errno_status(errno, "forget a tracked connection");
    ssize_t size = mnl_socket_recvfrom(socket.get(), page.data(), page.size());
    int result = size < 0 ? -1
                          : mnl_cb_run(page.data(), static_cast<std::size_t>(size), sequence, port,
                                       nullptr, nullptr);
    if (result < 0 && errno != ENOENT)
      return base::errno_status(errno, "forget a tracked connection");
    ++sequence;
  }
  return base::Status::ok();
}

}  // namespace skiff::net
