#include <skiff/net/address_watch.h>

#include <skiff/base/unique_fd.h>

#include "net/limits.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace skiff::net {

namespace {

base::Result<base::UniqueFd> open_watch() {
  base::UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl group{};
  group.nl_family = AF_NETLINK;
  group.nl_groups = RTMGRP_IPV4_IFADDR;
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&group), sizeof group) != 0)
    return base::errno_status(errno, "watch the host's addresses");
  return fd;
}

// What the messages say is asked from the kernel afterwards, so that lost ones (ENOBUFS) do not
// matter either. False when the socket is of no use any more.
bool drain(int fd) {
  std::array<char, kAddressMessageBytes> buffer;
  for (;;) {
    ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == ENOBUFS))) continue;
    return got < 0 && errno == EAGAIN;
  }
}

}  // namespace

base::Task<base::Status> watch_addresses(loop::Loop& loop,
                                         std::function<base::Task<void>()> on_change,
                                         base::CancelToken cancel) {
  auto fd = open_watch();
  if (!fd) co_return fd.status();
  for (;;) {
    auto ready = co_await loop::wait_fd(loop, fd->get(), loop::Ready::readable, cancel);
    if (!ready) co_return ready.status();
    if (!*ready) co_return base::Status::ok();
    bool settled = co_await base::sleep(loop, kAddressSettle, cancel);
    if (!settled) co_return base::Status::ok();
    if (!drain(fd->get())) co_return base::errno_status(errno, "watch the host's addresses");
    auto changing = on_change();
    co_await std::move(changing);
  }
}

}  // namespace skiff::net
