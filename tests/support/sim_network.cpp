#include "support/sim_network.h"

#include <skiff/base/strings.h>

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <vector>

namespace skiff::test {

namespace {

constexpr std::size_t kPipeBytesMax = 128u << 10;  // sent and not read, in one direction
constexpr base::Duration kStalledConnectCheck = std::chrono::milliseconds(200);
constexpr std::uint16_t kFirstClientPort = 10'000;

}  // namespace

// Two ends, and a pipe from each to the other. Lives while an end or a delivery needs it.
class SimConnection : public std::enable_shared_from_this<SimConnection> {
 public:
  SimConnection(SimNetwork& network, std::string client, std::string server) : network_(network) {
    ends_[0].host = std::move(client);
    ends_[1].host = std::move(server);
  }

  class End;
  std::unique_ptr<loop::Socket> make_end(int number);
  const std::string& host(int end) const { return ends_[end].host; }
  bool is_open(int end) const { return ends_[end].is_open; }

  // The end fails with a reset; what is on its way from it is lost.
  void reset(int end) {
    ends_[end].is_reset = true;
    ends_[end].is_deaf = true;
    pipes_[end].in_flight.clear();
    notify(end);
  }
  // The end is told nothing more, and nobody hears it.
  void isolate(int end) { ends_[end].is_deaf = true; }

  void deliver(int to) {
    Pipe& pipe = pipes_[1 - to];
    pipe.timer = 0;
    if (network_.is_stalled(ends_[1 - to].host, ends_[to].host)) return;
    const auto now = network_.loop_.monotonic();
    bool arrived = false;
    while (!pipe.in_flight.empty() && pipe.in_flight.front().due <= now) {
      Piece piece = std::move(pipe.in_flight.front());
      pipe.in_flight.pop_front();
      if (ends_[to].is_deaf) continue;
      arrived = true;
      if (piece.is_end)
        pipe.has_ended = true;
      else
        pipe.arrived += piece.bytes;
    }
    if (arrived) notify(to);
    schedule(to);
  }
  // Again after a stall.
  void schedule(int to) {
    Pipe& pipe = pipes_[1 - to];
    if (pipe.timer != 0 || pipe.in_flight.empty()) return;
    const auto wait = pipe.in_flight.front().due - network_.loop_.monotonic();
    pipe.timer = network_.loop_.start_timer(std::max(wait, base::Duration::zero()),
                                            [self = shared_from_this(), to] { self->deliver(to); });
  }

 private:
  struct Piece {
    base::MonotonicTime due;
    std::string bytes;
    bool is_end = false;
  };
  struct Pipe {
    std::deque<Piece> in_flight;
    std::string arrived;
    std::size_t bytes = 0;  // in flight and arrived
    bool has_ended = false, is_shut = false;
    base::MonotonicTime drawn_at, due;  // of the last piece
    base::TimerId timer = 0;
  };
  struct EndState {
    std::string host;
    bool is_open = true, is_reset = false, is_deaf = false;
    int interest = 0;
    bool is_notified = false, is_calling = false;
    loop::FdCallback callback;
  };

  int ready_of(int end) const {
    const EndState& state = ends_[end];
    if (state.is_reset) return 3;
    const Pipe& in = pipes_[1 - end];
    const bool readable = !in.arrived.empty() || in.has_ended;
    const bool writable = pipes_[end].bytes < kPipeBytesMax;
    return ((readable ? 1 : 0) | (writable ? 2 : 0)) & state.interest;
  }
  void notify(int end) {
    EndState& state = ends_[end];
    if (state.is_notified || !state.is_open || !state.callback || ready_of(end) == 0) return;
    state.is_notified = true;
    network_.loop_.post([self = shared_from_this(), end] { self->call(end); });
  }
  void call(int end) {
    EndState& state = ends_[end];
    state.is_notified = false;
    const int ready = ready_of(end);
    if (!state.is_open || ready == 0) return;
    state.is_calling = true;
    state.callback(static_cast<loop::Ready>(ready));
    state.is_calling = false;
    if (state.is_open)
      notify(end);
    else
      state.callback = {};
  }
  void push(int end, std::string bytes, bool is_end) {
    Pipe& pipe = pipes_[end];
    const auto now = network_.loop_.monotonic();
    // One draw for what is sent at one moment, however many pieces it is.
    if (pipe.drawn_at != now || pipe.due < now) {
      pipe.drawn_at = now;
      pipe.due = std::max(pipe.due, now + network_.draw_latency());
    }
    pipe.bytes += bytes.size();
    network_.bytes_in_flight_max_ = std::max(network_.bytes_in_flight_max_, pipe.bytes);
    pipe.in_flight.push_back({pipe.due, std::move(bytes), is_end});
    schedule(1 - end);
  }

  ssize_t read(int end, char* out, std::size_t size) {
    Pipe& in = pipes_[1 - end];
    if (ends_[end].is_reset) {
      errno = ECONNRESET;
      return -1;
    }
    if (in.arrived.empty()) {
      if (in.has_ended) return 0;
      errno = EAGAIN;
      return -1;
    }
    const std::size_t taken = std::min(size, in.arrived.size());
    std::memcpy(out, in.arrived.data(), taken);
    in.arrived.erase(0, taken);
    in.bytes -= taken;
    notify(1 - end);
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(int end, const iovec* pieces, std::size_t count) {
    if (ends_[end].is_reset || pipes_[end].is_shut) {
      errno = ends_[end].is_reset ? ECONNRESET : EPIPE;
      return -1;
    }
    std::size_t room = kPipeBytesMax - std::min(kPipeBytesMax, pipes_[end].bytes);
    std::string bytes;
    for (std::size_t i = 0; i < count && room > 0; ++i) {
      const std::size_t part = std::min(room, pieces[i].iov_len);
      bytes.append(static_cast<const char*>(pieces[i].iov_base), part);
      room -= part;
    }
    if (bytes.empty()) {
      errno = EAGAIN;
      return -1;
    }
    const auto size = static_cast<ssize_t>(bytes.size());
    const bool is_answered_by_reset = !ends_[1 - end].is_open && !ends_[end].is_deaf;
    push(end, std::move(bytes), false);
    if (is_answered_by_reset) {
      network_.loop_.start_timer(network_.draw_latency(),
                                 [self = shared_from_this(), end] { self->reset(end); });
    }
    return size;
  }
  void shut_down(int end) {
    if (std::exchange(pipes_[end].is_shut, true) || ends_[end].is_deaf) return;
    push(end, {}, true);
  }
  void close(int end) {
    shut_down(end);
    EndState& state = ends_[end];
    state.is_open = false;
    state.is_deaf = true;
    if (!state.is_calling) state.callback = {};
  }

  SimNetwork& network_;
  EndState ends_[2];
  Pipe pipes_[2];  // what that end sends
};

class SimConnection::End final : public loop::Socket {
 public:
  End(std::shared_ptr<SimConnection> connection, int number)
      : connection_(std::move(connection)), number_(number) {}
  ~End() override { connection_->close(number_); }
  base::Status watch(loop::Ready interest, loop::FdCallback callback) override {
    connection_->ends_[number_].callback = std::move(callback);
    set_interest(interest);
    return base::Status::ok();
  }
  void set_interest(loop::Ready interest) override {
    connection_->ends_[number_].interest = static_cast<int>(interest);
    connection_->notify(number_);
  }
  ssize_t read(char* out, std::size_t size) override {
    return connection_->read(number_, out, size);
  }
  ssize_t write(const iovec* pieces, std::size_t count) override {
    return connection_->write(number_, pieces, count);
  }
  void shut_down() override { connection_->shut_down(number_); }

 private:
  std::shared_ptr<SimConnection> connection_;
  const int number_;
};

std::unique_ptr<loop::Socket> SimConnection::make_end(int number) {
  return std::make_unique<End>(shared_from_this(), number);
}

class SimNetwork::BoundListener final : public loop::NetworkListener {
 public:
  BoundListener(SimNetwork& network, Where where) : network_(network), where_(std::move(where)) {}
  ~BoundListener() override { network_.listeners_.erase(where_); }
  std::uint16_t port() const override { return where_.second; }

 private:
  SimNetwork& network_;
  const Where where_;
};

base::Result<std::unique_ptr<loop::NetworkListener>> SimNetwork::listen(
    std::string host, std::uint16_t port, loop::AcceptCallback accept) {
  Where where(std::move(host), port);
  auto shared = std::make_shared<loop::AcceptCallback>(std::move(accept));
  if (!listeners_.emplace(where, std::move(shared)).second)
    return base::unavailable("the port is in use");
  return std::unique_ptr<loop::NetworkListener>(
      std::make_unique<BoundListener>(*this, std::move(where)));
}

base::Task<base::Result<std::unique_ptr<loop::Socket>>> SimNetwork::connect(
    std::string from, std::string to, std::uint16_t port, base::CancelToken cancel) {
  bool waited = co_await base::sleep(loop_, draw_latency() + draw_latency(), cancel);
  while (waited && !is_cut(from, to) && (is_stalled(from, to) || is_stalled(to, from)))
    waited = co_await base::sleep(loop_, kStalledConnectCheck, cancel);
  if (!waited) co_return base::cancelled(base::concat("connect ", to, ": given up"));
  if (is_cut(from, to)) co_return base::unavailable(base::concat("connect ", to, ": no route"));
  auto listener = listeners_.find({to, port});
  if (listener == listeners_.end())
    co_return base::unavailable(base::concat("connect ", to, ": connection refused"));
  const std::uint64_t number = next_connection_++;
  auto connection = std::make_shared<SimConnection>(*this, from, to);
  connections_.emplace(number, connection);
  auto accept = listener->second;
  auto client_port = kFirstClientPort + number % 50'000;
  (*accept)(connection->make_end(1), from, base::concat(from, ':', client_port));
  co_return connection->make_end(0);
}

void SimNetwork::set_latency(base::Duration least, base::Duration most) {
  latency_min_ = least;
  latency_max_ = most;
}

base::Duration SimNetwork::draw_latency() {
  const auto span = latency_max_ - latency_min_;
  if (span.count() <= 0) return latency_min_;
  return latency_min_ + base::Duration(static_cast<std::int64_t>(
                            random_.below(static_cast<std::uint64_t>(span.count()))));
}

bool SimNetwork::is_stalled(const std::string& from, const std::string& to) const {
  auto sender = hosts_.find(from), receiver = hosts_.find(to);
  return (sender != hosts_.end() && sender->second.from_stalled) ||
         (receiver != hosts_.end() && receiver->second.to_stalled);
}

bool SimNetwork::is_cut(const std::string& a, const std::string& b) const {
  for (const auto* host : {&a, &b}) {
    auto found = hosts_.find(*host);
    if (found != hosts_.end() && found->second.cut) return true;
  }
  return false;
}

void SimNetwork::for_each(const std::string& host,
                          const std::function<void(SimConnection&, int)>& visit) {
  std::vector<std::shared_ptr<SimConnection>> alive;
  for (auto at = connections_.begin(); at != connections_.end();) {
    if (auto connection = at->second.lock()) {
      alive.push_back(std::move(connection));
      ++at;
    } else {
      at = connections_.erase(at);
    }
  }
  for (const auto& connection : alive)
    for (int end : {0, 1})
      if (host.empty() || connection->host(end) == host) visit(*connection, end);
}

void SimNetwork::break_connections(const std::string& host, Ends ends) {
  for_each(host, [ends](SimConnection& connection, int end) {
    if (ends == Ends::peer_only)
      connection.isolate(end);
    else
      connection.reset(end);
    if (ends == Ends::host_only)
      connection.isolate(1 - end);
    else
      connection.reset(1 - end);
  });
}

void SimNetwork::set_cut(const std::string& host, bool cut) {
  hosts_[host].cut = cut;
  if (cut) break_connections(host, Ends::both);
}

void SimNetwork::set_stalled(const std::string& host, bool from_host, bool to_host) {
  hosts_[host].from_stalled = from_host;
  hosts_[host].to_stalled = to_host;
  release_held();
}

void SimNetwork::release_held() {
  for_each({}, [](SimConnection& connection, int end) { connection.schedule(end); });
}

void SimNetwork::heal() {
  hosts_.clear();
  release_held();
}

bool SimNetwork::is_disturbed(const std::string& host) const {
  auto found = hosts_.find(host);
  return found != hosts_.end() &&
         (found->second.cut || found->second.from_stalled || found->second.to_stalled);
}

std::size_t SimNetwork::sockets_of(const std::string& host) const {
  std::size_t count = 0;
  for (const auto& [number, weak] : connections_) {
    auto connection = weak.lock();
    if (!connection) continue;
    for (int end : {0, 1}) count += connection->host(end) == host && connection->is_open(end);
  }
  return count;
}

SimHost::SimHost(SimLoop& sim, SimNetwork& network, std::string address)
    : SimFdLoop(sim),
      network_(network),
      address_(std::move(address)),
      wall_start_(sim.now()),
      start_(sim.monotonic()) {}

}  // namespace skiff::test
