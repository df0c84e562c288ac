#include "runtime/shim_client.h"

#include <skiff/base/strings.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::errno_status;

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return base::invalid_argument(concat("socket path is too long: ", path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Through the folder's descriptor, so that its path may be of any length.
struct FolderAddress {
  base::UniqueFd folder;
  sockaddr_un address{};
};
base::Result<FolderAddress> shim_address(const std::string& folder) {
  FolderAddress out;
  out.folder = base::UniqueFd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!out.folder) return errno_status(errno, folder);
  SKIFF_ASSIGN_OR_RETURN(out.address,
                         address_of(concat("/proc/self/fd/", out.folder.get(), "/shim.sock")));
  return out;
}

base::Result<base::UniqueFd> listen_at(const sockaddr_un& address, int type) {
  base::UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return errno_status(errno, "socket");
  unlink(address.sun_path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return errno_status(errno, concat("bind ", address.sun_path));
  if (listen(fd.get(), kListenBacklog) != 0) return errno_status(errno, "listen");
  return fd;
}

base::Status wait_readable(int fd, int timeout_ms) {
  pollfd ready{fd, POLLIN, 0};
  int got;
  do got = poll(&ready, 1, timeout_ms);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno_status(errno, "poll");
  if (got == 0)
    return base::Status(base::Code::deadline_exceeded,
                        concat("no answer within ", timeout_ms, " ms"));
  return {};
}

struct Received {
  std::string bytes;
  std::vector<base::UniqueFd> descriptors;
};

base::Result<Received> receive(int fd, int timeout_ms) {
  SKIFF_RETURN_IF_ERROR(wait_readable(fd, timeout_ms));
  Received out;
  out.bytes.resize(SHIM_MESSAGE_BYTES_MAX + 1);
  iovec part{out.bytes.data(), out.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * SHIM_FDS_MAX)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  do n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno != ECONNRESET) return errno_status(errno, "receive");
  out.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  for (cmsghdr* header = n > 0 ? CMSG_FIRSTHDR(&message) : nullptr; header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof received);
      out.descriptors.emplace_back(received);
    }
  }
  return out;
}

std::string text_of(const shim_message& message, shim_tag tag) {
  const shim_field* field = shim_find(&message, tag);
  return field == nullptr ? ""
                          : std::string(reinterpret_cast<const char*>(field->bytes), field->length);
}

}  // namespace

base::Result<base::UniqueFd> listen_shim(const std::string& folder) {
  SKIFF_ASSIGN_OR_RETURN(auto address, shim_address(folder));
  return listen_at(address.address, SOCK_SEQPACKET);
}

base::Result<base::UniqueFd> connect_shim(const std::string& folder) {
  SKIFF_ASSIGN_OR_RETURN(auto address, shim_address(folder));
  base::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return errno_status(errno, "socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.address),
              sizeof address.address) != 0) {
    if (errno == ECONNREFUSED)
      return base::unavailable(concat("the supervisor at ", folder, " has ended"));
    return errno_status(errno, concat("connect ", folder));
  }
  return fd;
}

base::Status send_shim(int fd, const ShimRequest& request, const std::vector<int>& descriptors) {
  if (request.is_too_large())
    return base::Status(base::Code::too_large, "request to the supervisor is too large");
  iovec part{const_cast<char*>(request.bytes().data()), request.bytes().size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * SHIM_FDS_MAX)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    SKIFF_ASSERT(descriptors.size() <= SHIM_FDS_MAX);
    std::size_t bytes = descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  }
  if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0) return errno_status(errno, "send to supervisor");
  return {};
}

base::Result<ShimReply> receive_shim(int fd, int timeout_ms) {
  SKIFF_ASSIGN_OR_RETURN(auto received, receive(fd, timeout_ms));
  ShimReply reply;
  if (received.bytes.empty()) return reply;
  shim_message message;
  if (shim_parse(reinterpret_cast<const unsigned char*>(received.bytes.data()),
                 received.bytes.size(), &message) != 0)
    return base::Status(base::Code::data_loss, "the supervisor's answer is not understood");
  reply.type = message.type;
  reply.pid = static_cast<int>(shim_number(&message, SHIM_TAG_PID));
  reply.flags = static_cast<unsigned>(shim_number(&message, SHIM_TAG_FLAGS));
  reply.status = static_cast<int>(shim_number(&message, SHIM_TAG_STATUS));
  reply.id = text_of(message, SHIM_TAG_ID);
  reply.text = text_of(message, SHIM_TAG_TEXT);
  reply.descriptors = std::move(received.descriptors);
  return reply;
}

base::Result<ShimReply> ask_shim(const std::string& folder, const ShimRequest& request,
                                 const std::vector<int>& descriptors, int timeout_ms, int* status) {
  SKIFF_ASSIGN_OR_RETURN(auto fd, connect_shim(folder));
  SKIFF_RETURN_IF_ERROR(send_shim(fd.get(), request, descriptors));
  SKIFF_ASSIGN_OR_RETURN(auto reply, receive_shim(fd.get(), timeout_ms));
  if (status != nullptr) *status = reply.status;
  if (reply.type == 0) return base::unavailable("the pod's supervisor has ended");
  if (reply.type != SHIM_OK)
    return reply.status == ENOENT ? base::not_found(reply.text) : base::internal_error(reply.text);
  return reply;
}

base::Result<base::UniqueFd> listen_console(const std::string& path) {
  SKIFF_ASSIGN_OR_RETURN(auto address, address_of(path));
  return listen_at(address, SOCK_STREAM);
}

base::Result<base::UniqueFd> receive_console(int listen_fd, int timeout_ms) {
  SKIFF_RETURN_IF_ERROR(wait_readable(listen_fd, timeout_ms));
  base::UniqueFd connection(accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return errno_status(errno, "accept console");
  SKIFF_ASSIGN_OR_RETURN(auto received, receive(connection.get(), timeout_ms));
  if (received.descriptors.size() != 1)
    return base::internal_error("the OCI runtime sent no terminal");
  return std::move(received.descriptors[0]);
}

}  // namespace skiff::runtime
