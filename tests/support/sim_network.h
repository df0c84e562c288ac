// TCP in memory on virtual time: hosts, listeners and connections that are late, held up, cut, or
// gone without a word. Bytes of one connection keep their order; connections overtake each other.
#pragma once

#include <skiff/base/random.h>
#include <skiff/loop/network.h>

#include "support/sim_fd_loop.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace skiff::test {

class SimConnection;

// Loop-only. Outlives its hosts and their sockets.
class SimNetwork {
 public:
  SimNetwork(SimLoop& loop, base::Random& random) : loop_(loop), random_(random) {}

  // Of every piece of bytes, on its way from one host to another.
  void set_latency(base::Duration least, base::Duration most);
  // Connections of the host end with a reset at both ends, and no new one is made.
  void set_cut(const std::string& host, bool cut);
  // Nothing that the host sends, or is sent, arrives until it is let go; nothing is lost.
  void set_stalled(const std::string& host, bool from_host, bool to_host);
  // Its connections end with a reset at both ends, or at one end alone: the other is not told, and
  // whatever it sends is lost.
  enum class Ends : unsigned char { both, host_only, peer_only };
  void break_connections(const std::string& host, Ends ends);
  void heal();

  // It is cut or held up.
  bool is_disturbed(const std::string& host) const;
  // Sockets of a host that are open.
  std::size_t sockets_of(const std::string& host) const;
  // The most bytes that were ever on the way in one direction of a connection.
  std::size_t bytes_in_flight_max() const { return bytes_in_flight_max_; }

 private:
  friend class SimHost;
  friend class SimConnection;
  struct HostState {
    bool cut = false, from_stalled = false, to_stalled = false;
  };
  using Where = std::pair<std::string, std::uint16_t>;

  class BoundListener;
  base::Task<base::Result<std::unique_ptr<loop::Socket>>> connect(std::string from, std::string to,
                                                                  std::uint16_t port,
                                                                  base::CancelToken cancel);
  base::Result<std::unique_ptr<loop::NetworkListener>> listen(std::string host, std::uint16_t port,
                                                              loop::AcceptCallback accept);
  base::Duration draw_latency();
  bool is_stalled(const std::string& from, const std::string& to) const;
  bool is_cut(const std::string& a, const std::string& b) const;
  void for_each(const std::string& host,
                const std::function<void(SimConnection& connection, int end)>& visit);
  void release_held();

  SimLoop& loop_;
  base::Random& random_;
  base::Duration latency_min_{}, latency_max_{};
  std::map<std::string, HostState> hosts_;
  std::map<Where, std::shared_ptr<loop::AcceptCallback>> listeners_;
  std::map<std::uint64_t, std::weak_ptr<SimConnection>> connections_;
  std::uint64_t next_connection_ = 1;
  std::size_t bytes_in_flight_max_ = 0;
};

// A machine: the loop of its process, with a wall clock of its own. Everything runs on the SimLoop.
class SimHost final : public SimFdLoop, public loop::Network, private base::Clock {
 public:
  SimHost(SimLoop& sim, SimNetwork& network, std::string address);
  const std::string& address() const { return address_; }
  void jump_wall_clock(base::Duration by) { wall_offset_ += by; }

  const base::Clock& clock() const override { return *this; }

  base::Task<base::Result<std::unique_ptr<loop::Socket>>> connect(
      std::string host, std::uint16_t port, base::CancelToken cancel) override {
    return network_.connect(address_, std::move(host), port, std::move(cancel));
  }
  // On this host, whatever the address says.
  base::Result<std::unique_ptr<loop::NetworkListener>> listen(
      std::string, std::uint16_t port, loop::AcceptCallback accept) override {
    return network_.listen(address_, port, std::move(accept));
  }

 private:
  base::WallTime now() const override {
    return wall_start_ + (monotonic() - start_) + wall_offset_;
  }
  base::MonotonicTime monotonic() const override { return sim().monotonic(); }

  SimNetwork& network_;
  const std::string address_;
  const base::WallTime wall_start_;
  const base::MonotonicTime start_;
  base::Duration wall_offset_{};
};

}  // namespace skiff::test
