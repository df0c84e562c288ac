#include "http/listener.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "http/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skiff::http {

namespace {

bool parse_address(const std::string& text, std::uint16_t port, sockaddr_storage& out,
                   socklen_t& size) {
  out = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof *v4;
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
    return true;
  }
  return false;
}

void set_option(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

base::Status bind_error(int error, const std::string& address, std::uint16_t port) {
  std::string what = base::concat("listen on ", address, " port ", static_cast<int>(port));
  if (error != EADDRINUSE) return base::errno_status(error, what);
  std::string holder = describe_port_holder(port);
  return base::unavailable(holder.empty() ? base::concat(what, ": the port is in use")
                                          : base::concat(what, ": the port is in use by ", holder));
}

}  // namespace

std::string format_address(const sockaddr_storage& address, bool with_port) {
  char text[INET6_ADDRSTRLEN] = "";
  int port = 0;
  bool brackets = false;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
      brackets = true;
    }
    port = ntohs(v6.sin6_port);
  }
  if (!with_port) return text;
  return brackets ? base::concat("[", text, "]:", port) : base::concat(text, ":", port);
}

base::Result<std::unique_ptr<Listener>> Listener::open(loop::Loop& loop, const std::string& address,
                                                       std::uint16_t port, bool share_port,
                                                       loop::AcceptCallback accept) {
  sockaddr_storage where;
  socklen_t size = 0;
  if (!parse_address(address, port, where, size))
    return base::invalid_argument(base::concat("not an IP address: ", base::quote(address)));
  base::UniqueFd fd(
      ::socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return base::errno_status(errno, "make a listening socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  // "::" beside "0.0.0.0" must not claim both.
  if (where.ss_family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      ::listen(fd.get(), kListenBacklog) != 0)
    return bind_error(errno, address, port);
  size = sizeof where;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &size) != 0)
    return base::errno_status(errno, "ask for the port of a listening socket");
  std::unique_ptr<Listener> listener(new Listener(loop, std::move(accept)));
  listener->port_ =
      ntohs(where.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(where).sin_port
                                       : reinterpret_cast<sockaddr_in6&>(where).sin6_port);
  listener->fd_ = std::move(fd);
  auto* raw = listener.get();
  SKIFF_ASSIGN_OR_RETURN(listener->watch_, loop.watch_fd(raw->fd_.get(), loop::Ready::readable,
                                                         [raw](loop::Ready) { raw->on_ready(); }));
  return listener;
}

Listener::~Listener() {
  if (retry_timer_ != 0) loop_.cancel_timer(retry_timer_);
}

void Listener::on_ready() {
  for (std::size_t i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    base::UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause();
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return;
    }
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
    accept_(loop::make_fd_socket(loop_, std::move(fd)), format_address(peer, false),
            format_address(peer, true));
  }
}

void Listener::pause() {
  base::log_warning("no descriptors or memory for new connections", {{"port", port_}});
  watch_->set_interest(loop::Ready::none);
  retry_timer_ = loop_.start_timer(kAcceptRetryDelay, [this] {
    retry_timer_ = 0;
    watch_->set_interest(loop::Ready::readable);
  });
}

}  // namespace skiff::http
