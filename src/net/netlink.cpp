#include "net/netlink.h"

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

#include <fcntl.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>

namespace skiff::net {

namespace {

template <class T, void (*put)(T*)>
struct Put {
  void operator()(T* object) const { put(object); }
};
using LinkPtr = std::unique_ptr<rtnl_link, Put<rtnl_link, rtnl_link_put>>;
using AddrPtr = std::unique_ptr<rtnl_addr, Put<rtnl_addr, rtnl_addr_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, Put<rtnl_route, rtnl_route_put>>;
using NeighPtr = std::unique_ptr<rtnl_neigh, Put<rtnl_neigh, rtnl_neigh_put>>;
using NlAddrPtr = std::unique_ptr<nl_addr, Put<nl_addr, nl_addr_put>>;

base::Status nl_status(int error, std::string_view what) {
  int code = error < 0 ? -error : error;
  std::string text = base::concat(what, ": ", nl_geterror(code));
  switch (code) {
    case NLE_EXIST: return base::already_exists(std::move(text));
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV: return base::not_found(std::move(text));
    case NLE_PERM: return base::Status(base::Code::permission_denied, std::move(text));
    default: return base::internal_error(std::move(text));
  }
}

base::Status done(int error, std::string_view what) {
  return error < 0 ? nl_status(error, what) : base::Status::ok();
}

// The same, when finding it done already is as good.
base::Status done_or_there(int error, std::string_view what) {
  return error == -NLE_EXIST ? base::Status::ok() : done(error, what);
}

base::Result<NlAddrPtr> parse_address(const std::string& text, int family) {
  nl_addr* address = nullptr;
  if (int error = nl_addr_parse(text.c_str(), family, &address); error < 0)
    return nl_status(error, base::concat("address ", text));
  return NlAddrPtr(address);
}

base::Result<NlAddrPtr> parse_ip(const std::string& text, int prefix_bits) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr address, parse_address(text, AF_INET));
  nl_addr_set_prefixlen(address.get(), prefix_bits);
  return address;
}

base::Result<LinkPtr> named_link(const std::string& name) {
  LinkPtr link(rtnl_link_alloc());
  if (!link) return base::internal_error("out of memory for a link");
  rtnl_link_set_name(link.get(), name.c_str());
  return link;
}

base::Status set_mac(rtnl_link* link, const std::string& mac) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr address, parse_address(mac, AF_LLC));
  rtnl_link_set_addr(link, address.get());
  return base::Status::ok();
}

}  // namespace

void RouteSocket::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

base::Result<RouteSocket> RouteSocket::open() {
  RouteSocket result(nl_socket_alloc());
  if (!result.socket_) return base::internal_error("out of memory for a netlink socket");
  if (int error = nl_connect(result.socket_.get(), NETLINK_ROUTE); error < 0)
    return nl_status(error, "open a netlink socket");
  return result;
}

base::Result<RouteSocket> RouteSocket::open_in(const std::string& path) {
  base::UniqueFd target(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!target) return base::errno_status(errno, base::concat("open namespace ", path));
  base::UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own) return base::errno_status(errno, "open this thread's network namespace");
  if (setns(target.get(), CLONE_NEWNET) != 0)
    return base::errno_status(errno, base::concat("enter namespace ", path));
  auto socket = open();
  // A thread that stayed in a pod's namespace would serve other pods from there.
  SKIFF_ASSERT(setns(own.get(), CLONE_NEWNET) == 0);
  return socket;
}

base::Status RouteSocket::add_veth(const std::string& host_name, const std::string& host_mac,
                                   const std::string& peer_name, const std::string& peer_mac,
                                   int peer_namespace_fd) {
  LinkPtr link(rtnl_link_veth_alloc());
  if (!link) return base::internal_error("out of memory for a link");
  rtnl_link_set_name(link.get(), host_name.c_str());
  SKIFF_RETURN_IF_ERROR(set_mac(link.get(), host_mac));
  LinkPtr peer(rtnl_link_veth_get_peer(link.get()));
  rtnl_link_set_name(peer.get(), peer_name.c_str());
  SKIFF_RETURN_IF_ERROR(set_mac(peer.get(), peer_mac));
  rtnl_link_set_ns_fd(peer.get(), peer_namespace_fd);
  int error = rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL);
  return done(error, base::concat("make the link ", host_name));
}

base::Status RouteSocket::delete_link(const std::string& name) {
  SKIFF_ASSIGN_OR_RETURN(LinkPtr link, named_link(name));
  auto status = done(rtnl_link_delete(socket_.get(), link.get()), base::concat("delete ", name));
  return status.code() == base::Code::not_found ? base::Status::ok() : status;
}

base::Status RouteSocket::set_up(const std::string& name) {
  rtnl_link* found = nullptr;
  if (int error = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &found); error < 0)
    return nl_status(error, base::concat("find the link ", name));
  LinkPtr original(found);
  LinkPtr change(rtnl_link_alloc());
  rtnl_link_set_flags(change.get(), IFF_UP);
  int error = rtnl_link_change(socket_.get(), original.get(), change.get(), 0);
  return done(error, base::concat("bring up ", name));
}

base::Result<int> RouteSocket::link_index(const std::string& name) {
  rtnl_link* found = nullptr;
  if (int error = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &found); error < 0)
    return nl_status(error, base::concat("find the link ", name));
  LinkPtr link(found);
  return rtnl_link_get_ifindex(link.get());
}

base::Status RouteSocket::add_address(int link, const std::string& address, int prefix_bits) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr local, parse_ip(address, prefix_bits));
  AddrPtr entry(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(entry.get(), link);
  rtnl_addr_set_local(entry.get(), local.get());
  return done_or_there(rtnl_addr_add(socket_.get(), entry.get(), 0),
                       base::concat("add address ", address));
}

base::Status RouteSocket::delete_address(int link, const std::string& address, int prefix_bits) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr local, parse_ip(address, prefix_bits));
  AddrPtr entry(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(entry.get(), link);
  rtnl_addr_set_local(entry.get(), local.get());
  int error = rtnl_addr_delete(socket_.get(), entry.get(), 0);
  if (error == -NLE_NOADDR || error == -NLE_OBJ_NOTFOUND) return base::Status::ok();
  return done(error, base::concat("delete address ", address));
}

namespace {

base::Result<RoutePtr> link_route(int link, const std::string& destination, int prefix_bits,
                                  const std::string& gateway) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr target, parse_ip(destination, prefix_bits));
  NlAddrPtr via;
  if (!gateway.empty()) {
    SKIFF_ASSIGN_OR_RETURN(via, parse_ip(gateway, 32));
  }
  RoutePtr route(rtnl_route_alloc());
  rtnl_route_set_family(route.get(), AF_INET);
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
  rtnl_route_set_scope(route.get(), gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  rtnl_route_set_dst(route.get(), target.get());
  rtnl_nexthop* hop = rtnl_route_nh_alloc();  // owned by the route once added
  rtnl_route_nh_set_ifindex(hop, link);
  if (via) {
    rtnl_route_nh_set_gateway(hop, via.get());
    rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  }
  rtnl_route_add_nexthop(route.get(), hop);
  return route;
}

}  // namespace

base::Status RouteSocket::add_route(int link, const std::string& destination, int prefix_bits,
                                    const std::string& gateway, const std::string& source) {
  SKIFF_ASSIGN_OR_RETURN(RoutePtr route, link_route(link, destination, prefix_bits, gateway));
  if (!source.empty()) {
    SKIFF_ASSIGN_OR_RETURN(NlAddrPtr preferred, parse_ip(source, 32));
    rtnl_route_set_pref_src(route.get(), preferred.get());
  }
  int error = rtnl_route_add(socket_.get(), route.get(), NLM_F_REPLACE);
  return done_or_there(error, base::concat("add a route to ", destination));
}

base::Status RouteSocket::delete_route(int link, const std::string& destination, int prefix_bits) {
  SKIFF_ASSIGN_OR_RETURN(RoutePtr route, link_route(link, destination, prefix_bits, {}));
  int error = rtnl_route_delete(socket_.get(), route.get(), 0);
  if (error == -NLE_OBJ_NOTFOUND) return base::Status::ok();
  return done(error, base::concat("delete the route to ", destination));
}

base::Status RouteSocket::add_permanent_neighbour(int link, const std::string& address,
                                                  const std::string& mac) {
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr target, parse_ip(address, 32));
  SKIFF_ASSIGN_OR_RETURN(NlAddrPtr hardware, parse_address(mac, AF_LLC));
  NeighPtr neighbour(rtnl_neigh_alloc());
  rtnl_neigh_set_ifindex(neighbour.get(), link);
  rtnl_neigh_set_family(neighbour.get(), AF_INET);
  rtnl_neigh_set_dst(neighbour.get(), target.get());
  rtnl_neigh_set_lladdr(neighbour.get(), hardware.get());
  rtnl_neigh_set_state(neighbour.get(), NUD_PERMANENT);
  int error = rtnl_neigh_add(socket_.get(), neighbour.get(), NLM_F_CREATE | NLM_F_REPLACE);
  return done_or_there(error, base::concat("add a neighbour entry for ", address));
}

}  // namespace skiff::net
