// From a name to a connected socket.
#include <skiff/base/strings.h>
#include <skiff/loop/connect.h>
#include <skiff/loop/work_pool.h>

#include "http/client_connection.h"
#include "http/limits.h"
#include "http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace skiff::http {

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::vector<Address> literal_address(const std::string& host, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    return {};
  }
  return {address};
}

// Blocks.
base::Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0)
    return base::unavailable(base::concat("lookup ", host, ": ", ::gai_strerror(error)));
  std::vector<Address> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (addresses.size() == kAddressesTriedMax) break;
    Address address;
    if (entry->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = static_cast<socklen_t>(entry->ai_addrlen);
    addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  if (addresses.empty()) return base::unavailable(base::concat("lookup ", host, ": no address"));
  return addresses;
}

base::Status connect_error(int error, const Address& address) {
  auto status =
      base::errno_status(error, base::concat("connect ", format_address(address.storage, true)));
  return {base::Code::unavailable, std::string(status.message())};
}

void set_lasting(int fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepAliveIdleSeconds, sizeof on);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepAliveIntervalSeconds, sizeof on);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepAliveProbes, sizeof on);
}

base::Task<base::Result<base::UniqueFd>> connect_one(loop::Loop& loop, Address address,
                                                     SocketUse use, base::CancelToken cancel) {
  base::UniqueFd fd(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) co_return base::errno_status(errno, "make a socket");
  if (use == SocketUse::lasting) set_lasting(fd.get());
  auto connecting = loop::connect_fd(loop, fd.get(), address.storage, address.size, cancel);
  int error = co_await connecting;
  if (error == ECANCELED)
    co_return base::cancelled(
        base::concat("connect ", format_address(address.storage, true), ": given up"));
  if (error != 0) co_return connect_error(error, address);
  co_return fd;
}

// Gives up early.
base::Task<base::Result<base::UniqueFd>> connect_soon(loop::Loop& loop, Address address,
                                                      SocketUse use, base::CancelToken cancel) {
  auto limited = base::CancelSource::child_of(cancel);
  auto timer = loop.start_timer(kAddressConnectMax, [limited] { limited.cancel(); });
  auto connecting = connect_one(loop, address, use, limited.token());
  auto fd = co_await connecting;
  loop.cancel_timer(timer);
  co_return fd;
}

}  // namespace

base::Task<base::Result<std::unique_ptr<loop::Socket>>> connect_to(std::shared_ptr<ClientPool> pool,
                                                                   std::string host,
                                                                   std::uint16_t port,
                                                                   SocketUse use,
                                                                   base::CancelToken cancel) {
  if (auto* network = loop::network_of(pool->loop())) {
    auto connecting = network->connect(std::move(host), port, std::move(cancel));
    co_return co_await connecting;
  }
  std::vector<Address> addresses = literal_address(host, port);
  if (addresses.empty()) {
    auto resolver = pool->resolver();
    if (!resolver) co_return resolver.status();
    auto lookup = [host, port] { return resolve(host, port); };
    auto resolving = loop::run_blocking(**resolver, std::move(lookup));
    auto resolved = co_await resolving;
    if (!resolved) co_return resolved.status();
    addresses = std::move(*resolved);
  }
  base::Status failure = base::cancelled("given up");
  for (std::size_t i = 0; i < addresses.size() && !cancel.is_cancelled(); ++i) {
    const bool is_last = i + 1 == addresses.size();
    auto connecting = is_last ? connect_one(pool->loop(), addresses[i], use, cancel)
                              : connect_soon(pool->loop(), addresses[i], use, cancel);
    auto fd = co_await connecting;
    if (fd) co_return loop::make_fd_socket(pool->loop(), std::move(*fd));
    failure = fd.status();
  }
  co_return failure;
}

}  // namespace skiff::http
