// Route netlink through libnl: the few requests that pod links need. Blocking.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <string>

struct nl_sock;

namespace skiff::net {

// A socket of the network namespace in which it was opened. Thread-compatible.
class RouteSocket {
 public:
  // Of this thread's namespace.
  static base::Result<RouteSocket> open();
  // Of the namespace at `path`; this thread is back in its own when the call returns.
  static base::Result<RouteSocket> open_in(const std::string& path);

  // A veth pair: `host_name` here, `peer_name` in the namespace of `peer_namespace_fd`, with these
  // hardware addresses. Errors: already_exists.
  base::Status add_veth(const std::string& host_name, const std::string& host_mac,
                        const std::string& peer_name, const std::string& peer_mac,
                        int peer_namespace_fd);
  // Ok when there is none.
  base::Status delete_link(const std::string& name);
  base::Status set_up(const std::string& name);
  // Errors: not_found.
  base::Result<int> link_index(const std::string& name);

  // Addresses are dotted decimal. All are ok when the thing is there already.
  base::Status add_address(int link, const std::string& address, int prefix_bits);
  // `gateway` empty: on the link itself. `destination` "0.0.0.0"/0 is the default route. `source`
  // (empty: the kernel's choice) is the address that local senders get.
  base::Status add_route(int link, const std::string& destination, int prefix_bits,
                         const std::string& gateway, const std::string& source = {});
  // Ok when they are not there.
  base::Status delete_address(int link, const std::string& address, int prefix_bits);
  base::Status delete_route(int link, const std::string& destination, int prefix_bits);
  base::Status add_permanent_neighbour(int link, const std::string& address,
                                       const std::string& mac);

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit RouteSocket(nl_sock* socket) : socket_(socket) {}
  std::unique_ptr<nl_sock, Free> socket_;
};

}  // namespace skiff::net
