#include <skiff/net/dns.h>

#include <skiff/base/async.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

#include "net/dns_forwarder.h"
#include "net/dns_message.h"
#include "net/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <list>

namespace skiff::net {

namespace {

class LoopDnsServer final : public DnsServer {
 public:
  LoopDnsServer(loop::Loop& loop, base::Random& random, DnsSource& source, DnsOptions options)
      : loop_(loop),
        source_(source),
        options_(std::move(options)),
        forwarder_(loop, random, Resolvers(options_.resolv_conf, options_.addresses)),
        scope_(loop) {}

  base::Status open() {
    port_ = options_.port;
    for (const auto& address : options_.addresses) {
      SKIFF_RETURN_IF_ERROR(listen_on(address, SOCK_DGRAM));
      SKIFF_RETURN_IF_ERROR(listen_on(address, SOCK_STREAM));
    }
    return base::Status::ok();
  }

  std::uint16_t port() const override { return port_; }
  DnsCounters counters() const override { return counters_; }

  base::Task<void> stop() override {
    sockets_.clear();
    scope_.cancel();
    co_await scope_.join();
  }

 private:
  struct Socket {
    base::UniqueFd fd;
    std::unique_ptr<loop::FdWatch> watch;  // goes before the descriptor
  };

  base::Status listen_on(const std::string& address, int kind) {
    auto where = [&] { return base::concat("listen on ", address, ":", port_, " for DNS"); };
    Socket& added = sockets_.emplace_back();
    added.fd = base::UniqueFd(socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(port_);
    if (inet_pton(AF_INET, address.c_str(), &own.sin_addr) != 1)
      return base::invalid_argument(base::concat(base::quote(address), " is not an IPv4 address"));
    int on = 1, fd = added.fd.get();
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
        (kind == SOCK_STREAM && listen(fd, static_cast<int>(kDnsTcpConnectionsMax)) != 0))
      return base::Status(base::Code::unavailable,
                          std::string(base::errno_status(errno, where()).message()));
    socklen_t size = sizeof own;
    getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    port_ = ntohs(own.sin_port);
    SKIFF_ASSIGN_OR_RETURN(added.watch,
                           loop_.watch_fd(fd, loop::Ready::readable, [this, fd, kind](loop::Ready) {
                             kind == SOCK_DGRAM ? read_datagrams(fd) : accept_connections(fd);
                           }));
    return base::Status::ok();
  }

  void read_datagrams(int fd) {
    char buffer[kDnsUdpBytesMax * 2];
    for (std::size_t i = 0; i < kDnsDatagramsPerTurn; ++i) {
      sockaddr_in client{};
      socklen_t size = sizeof client;
      ssize_t n =
          recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&client), &size);
      if (n < 0) return;
      answer_datagram(fd, client, std::string_view(buffer, static_cast<std::size_t>(n)));
    }
  }

  void answer_datagram(int fd, const sockaddr_in& client, std::string_view message) {
    ++counters_.queries;
    auto query = parse_dns_query(message);
    if (!query) {
      ++counters_.refused;
      return reply(fd, client, write_dns_format_error(message));
    }
    DnsAnswer answer = source_.look_up(query->name, query->type);
    if (is_complete(answer, *query))
      return reply(fd, client, local_answer(*query, answer, query->udp_bytes_max));
    scope_.spawn(finish_datagram(this, fd, client, std::string(message), std::move(*query),
                                 std::move(answer)));
  }

  static base::Task<void> finish_datagram(LoopDnsServer* self, int fd, sockaddr_in client,
                                          std::string message, DnsQuery query, DnsAnswer answer) {
    std::size_t limit = query.udp_bytes_max;
    std::string text = co_await self->finish(std::move(message), std::move(query),
                                             std::move(answer), false, limit);
    // The sockets go first when the server stops.
    if (!self->scope_.token().is_cancelled()) self->reply(fd, client, text);
  }

  static void reply(int fd, const sockaddr_in& client, const std::string& message) {
    if (message.empty()) return;
    // A full send buffer loses the answer, as UDP may; the client asks again.
    sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&client), sizeof client);
  }

  // Ours, and no alias that leads out of the cluster.
  static bool is_complete(const DnsAnswer& answer, const DnsQuery& query) {
    if (answer.outcome == DnsAnswer::Outcome::not_ours) return false;
    return query.type != DnsType::a || answer.records.empty() ||
           answer.records.back().type != DnsType::cname;
  }

  std::string local_answer(const DnsQuery& query, const DnsAnswer& answer,
                           std::size_t limit) const {
    auto code =
        answer.outcome == DnsAnswer::Outcome::found ? DnsCode::no_error : DnsCode::no_such_name;
    return write_dns_answer(query, code, answer, options_.zone, limit);
  }

  // Asks the host's resolvers: for the whole question, or for the target of a CNAME of ours.
  base::Task<std::string> finish(std::string message, DnsQuery query, DnsAnswer answer,
                                 bool over_tcp, std::size_t limit) {
    ++counters_.forwarded;
    if (answer.outcome == DnsAnswer::Outcome::not_ours) {
      auto forwarded = co_await forwarder_.ask(std::move(message), over_tcp, scope_.token());
      if (forwarded) co_return std::move(*forwarded);
      co_return write_dns_answer(query, DnsCode::server_failure, {}, {}, limit);
    }
    std::string target = answer.records.back().data;
    std::string question = write_dns_query(query.id, target, DnsType::a);
    auto resolved = co_await forwarder_.ask(std::move(question), over_tcp, scope_.token());
    if (resolved)
      for (auto& record : read_dns_addresses(*resolved))
        answer.records.push_back(std::move(record));
    co_return local_answer(query, answer, limit);
  }

  void accept_connections(int listener) {
    for (;;) {
      base::UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      if (connections_ >= kDnsTcpConnectionsMax) {
        ++counters_.refused;
        continue;
      }
      ++connections_;
      scope_.spawn(serve_connection(this, std::move(fd)));
    }
  }

  static base::Task<void> serve_connection(LoopDnsServer* self, base::UniqueFd fd) {
    for (bool open = true; open;) {
      auto limited = base::CancelSource::child_of(self->scope_.token());
      base::TimerId timer = self->loop_.start_timer(kDnsTcpIdle, [limited] { limited.cancel(); });
      auto message = co_await read_dns_stream(self->loop_, fd.get(), limited.token());
      std::string text;
      if (message) text = co_await self->answer_stream(std::move(*message));
      open = !text.empty();
      if (open) {
        auto written = co_await write_dns_stream(self->loop_, fd.get(), text, limited.token());
        open = written.is_ok();
      }
      self->loop_.cancel_timer(timer);
    }
    --self->connections_;
  }

  base::Task<std::string> answer_stream(std::string message) {
    ++counters_.queries;
    auto query = parse_dns_query(message);
    if (!query) {
      ++counters_.refused;
      co_return write_dns_format_error(message);
    }
    DnsAnswer answer = source_.look_up(query->name, query->type);
    if (is_complete(answer, *query)) co_return local_answer(*query, answer, kDnsMessageBytesMax);
    std::string text = co_await finish(std::move(message), std::move(*query), std::move(answer),
                                       true, kDnsMessageBytesMax);
    co_return text;
  }

  loop::Loop& loop_;
  DnsSource& source_;
  const DnsOptions options_;
  std::uint16_t port_ = 0;
  DnsForwarder forwarder_;
  std::list<Socket> sockets_;
  std::size_t connections_ = 0;
  DnsCounters counters_;
  base::TaskScope scope_;
};

}  // namespace

base::Result<std::unique_ptr<DnsServer>> make_dns_server(loop::Loop& loop, base::Random& random,
                                                         DnsSource& source,
                                                         const DnsOptions& options) {
  auto server = std::make_unique<LoopDnsServer>(loop, random, source, options);
  SKIFF_RETURN_IF_ERROR(server->open());
  return std::unique_ptr<DnsServer>(std::move(server));
}

}  // namespace skiff::net
