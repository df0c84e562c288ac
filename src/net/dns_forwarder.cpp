#include "net/dns_forwarder.h"

#include <skiff/base/unique_fd.h>

#include "net/dns_message.h"
#include "net/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::net {

namespace {

constexpr std::uint16_t kDnsPort = 53;

base::Status cancelled_status() { return base::cancelled("DNS: no answer in time"); }

// Waits until the descriptor is ready; an error when cancelled.
base::Task<base::Status> wait_ready(loop::Loop& loop, int fd, loop::Ready interest,
                                    base::CancelToken cancel) {
  auto ready = co_await loop::wait_fd(loop, fd, interest, cancel);
  if (!ready) co_return ready.status();
  if (!*ready) co_return cancelled_status();
  co_return base::Status::ok();
}

bool would_block() { return errno == EAGAIN || errno == EINTR || errno == EINPROGRESS; }

}  // namespace

base::Task<base::Status> write_dns_stream(loop::Loop& loop, int fd, std::string message,
                                          base::CancelToken cancel) {
  std::string bytes;
  bytes += static_cast<char>(message.size() >> 8);
  bytes += static_cast<char>(message.size());
  bytes += message;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (!would_block()) co_return base::errno_status(errno, "send a DNS message");
    SKIFF_CO_RETURN_IF_ERROR(co_await wait_ready(loop, fd, loop::Ready::writable, cancel));
  }
  co_return base::Status::ok();
}

namespace {

base::Task<base::Result<std::string>> read_exactly(loop::Loop& loop, int fd, std::size_t size,
                                                   base::CancelToken cancel) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    ssize_t n = recv(fd, bytes.data() + have, size - have, 0);
    if (n == 0) co_return base::unavailable("the DNS peer closed the connection");
    if (n > 0) {
      have += static_cast<std::size_t>(n);
      continue;
    }
    if (!would_block()) co_return base::errno_status(errno, "read a DNS message");
    SKIFF_CO_RETURN_IF_ERROR(co_await wait_ready(loop, fd, loop::Ready::readable, cancel));
  }
  co_return bytes;
}

}  // namespace

base::Task<base::Result<std::string>> read_dns_stream(loop::Loop& loop, int fd,
                                                      base::CancelToken cancel) {
  auto length = co_await read_exactly(loop, fd, 2, cancel);
  if (!length) co_return length.status();
  std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>((*length)[0])) << 8 |
                     static_cast<unsigned char>((*length)[1]);
  auto message = co_await read_exactly(loop, fd, size, cancel);
  co_return message;
}

base::Task<base::Result<std::string>> DnsForwarder::ask_over_udp(int fd, std::string query,
                                                                 base::CancelToken cancel) {
  if (send(fd, query.data(), query.size(), MSG_NOSIGNAL) < 0)
    co_return base::errno_status(errno, "ask a resolver");
  for (;;) {
    SKIFF_CO_RETURN_IF_ERROR(co_await wait_ready(loop_, fd, loop::Ready::readable, cancel));
    std::string answer(kDnsMessageBytesMax, '\0');
    ssize_t n = recv(fd, answer.data(), answer.size(), 0);
    if (n < 0 && would_block()) continue;
    if (n < 0) co_return base::errno_status(errno, "read a resolver's answer");
    answer.resize(static_cast<std::size_t>(n));
    if (is_answer_to(answer, query)) co_return answer;  // anything else is forged or late
  }
}

base::Task<base::Result<std::string>> DnsForwarder::ask_over_tcp(int fd, std::string query,
                                                                 base::CancelToken cancel) {
  SKIFF_CO_RETURN_IF_ERROR(co_await write_dns_stream(loop_, fd, query, cancel));
  auto answer = co_await read_dns_stream(loop_, fd, cancel);
  if (!answer) co_return answer.status();
  if (!is_answer_to(*answer, query))
    co_return base::unavailable("a resolver's answer is no answer");
  co_return std::move(*answer);
}

base::Task<base::Result<std::string>> DnsForwarder::ask_one(std::string server, std::string query,
                                                            bool over_tcp,
                                                            base::CancelToken cancel) {
  // A new socket for every query: the kernel picks a port that nobody can guess.
  int kind = (over_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  base::UniqueFd fd(socket(AF_INET, kind, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kDnsPort);
  inet_pton(AF_INET, server.c_str(), &to.sin_addr);
  if (!fd) co_return base::errno_status(errno, "open a DNS socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && !would_block())
    co_return base::errno_status(errno, "reach a resolver");
  auto limited = base::CancelSource::child_of(cancel);
  base::TimerId timer = loop_.start_timer(kDnsResolverTimeout, [limited] { limited.cancel(); });
  auto asked = over_tcp ? ask_over_tcp(fd.get(), std::move(query), limited.token())
                        : ask_over_udp(fd.get(), std::move(query), limited.token());
  auto answer = co_await std::move(asked);
  loop_.cancel_timer(timer);
  co_return answer;
}

base::Task<base::Result<std::string>> DnsForwarder::ask(std::string query, bool over_tcp,
                                                        base::CancelToken cancel) {
  if (under_way_ >= kDnsForwardsMax) co_return base::unavailable("too many DNS queries under way");
  std::vector<std::string> servers = resolvers_.current();
  base::Status last = base::unavailable("this host has no DNS resolver");
  // Our own id towards the resolver: a client cannot choose one that an attacker expects.
  std::string own = query;
  std::uint64_t id = random_.next();
  own[0] = static_cast<char>(id);
  own[1] = static_cast<char>(id >> 8);
  ++under_way_;
  for (const auto& server : servers) {
    if (cancel.is_cancelled()) break;
    auto answer = co_await ask_one(server, own, over_tcp, cancel);
    if (answer) {
      --under_way_;
      (*answer)[0] = query[0];
      (*answer)[1] = query[1];
      co_return std::move(*answer);
    }
    last = answer.status();
  }
  --under_way_;
  co_return base::unavailable(std::string(last.message()));
}

}  // namespace skiff::net
