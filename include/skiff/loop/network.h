// Connected streams of bytes. They are the kernel's TCP unless a loop is a network of its own, too,
// as the simulator's are: in memory, on virtual time, and it can be cut.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/base/unique_fd.h>
#include <skiff/loop/loop.h>

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct iovec;

namespace skiff::loop {

// One end of a connection; destroyed, it is closed. Loop-only.
class Socket {
 public:
  virtual ~Socket() = default;
  // Reports readiness from now on; the callback may destroy the socket. Called once.
  virtual base::Status watch(Ready interest, FdCallback callback) = 0;
  // What to wait for. A peer that has hung up is reported whatever that is. REQUIRES: watched.
  virtual void set_interest(Ready interest) = 0;
  // As recv(2) and sendmsg(2) of a socket that does not block: the bytes, 0 at the end of the
  // peer's, -1 with errno.
  virtual ssize_t read(char* out, std::size_t size) = 0;
  virtual ssize_t write(const iovec* pieces, std::size_t count) = 0;
  // Nothing more is written; the peer reads what was, and then the end.
  virtual void shut_down() = 0;
};
// Owns the descriptor, which does not block.
std::unique_ptr<Socket> make_fd_socket(Loop& loop, base::UniqueFd fd);

// Destroyed, it takes no further connections. Loop-only.
class NetworkListener {
 public:
  virtual ~NetworkListener() = default;
  virtual std::uint16_t port() const = 0;
};

// Gets an accepted socket, the client's address, and that address with its port.
using AcceptCallback =
    std::function<void(std::unique_ptr<Socket> socket, std::string client, std::string address)>;

// Loop-only.
class Network {
 public:
  virtual ~Network() = default;
  // Errors: unavailable, cancelled.
  virtual base::Task<base::Result<std::unique_ptr<Socket>>> connect(std::string host,
                                                                    std::uint16_t port,
                                                                    base::CancelToken cancel) = 0;
  // Port 0 picks one. Errors: unavailable when the port is in use.
  virtual base::Result<std::unique_ptr<NetworkListener>> listen(std::string address,
                                                                std::uint16_t port,
                                                                AcceptCallback accept) = 0;
};
// The network that the loop is, too; null: its connections are the kernel's.
Network* network_of(Loop& loop);

}  // namespace skiff::loop
