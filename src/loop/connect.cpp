#include <skiff/loop/connect.h>

#include <cerrno>

namespace skiff::loop {

base::Task<int> connect_fd(Loop& loop, int fd, sockaddr_storage address, socklen_t address_bytes,
                           base::CancelToken cancel) {
  const auto* peer = reinterpret_cast<const sockaddr*>(&address);
  int result = ::connect(fd, peer, address_bytes);
  // The answer of this host is in the socket's queue now; the second call takes note of it.
  if (result != 0 && errno == EINPROGRESS) result = ::connect(fd, peer, address_bytes);
  if (result == 0 || errno == EISCONN) co_return 0;
  if (errno != EALREADY && errno != EINPROGRESS) co_return errno;
  auto waiting = wait_fd(loop, fd, Ready::writable, cancel);
  auto ready = co_await waiting;
  if (!ready) co_return EIO;
  if (!*ready) co_return ECANCELED;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) co_return errno;
  co_return error;
}

}  // namespace skiff::loop
