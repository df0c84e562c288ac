// The HTTPS server on the event loop.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/result.h>
#include <skiff/http/message.h>
#include <skiff/http/tls.h>
#include <skiff/loop/loop.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skiff::http {

// Answers requests. Called on a worker with a complete request; the coroutine may suspend.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual base::Task<Response> handle(Request request) = 0;
  // May answer a cheap request at once on the loop; nullopt hands it to a worker. Must not block.
  virtual std::optional<Response> handle_inline(const Request& request) = 0;
};

struct ServerOptions {
  std::vector<std::string> addresses;  // to bind, "0.0.0.0" or "::"
  std::uint16_t port = 0;              // 0 picks one
  std::size_t body_bytes_max = 3u << 20;
  std::size_t head_bytes_max = 64u << 10;
  std::size_t connections_max = 4096;
  std::size_t connections_per_client_max = 1024;
  bool share_port = false;  // servers on several loops of this process listen on one port
  // Called on the loop when an answer whose body has `large_answer_bytes` or more is over.
  std::size_t large_answer_bytes = 0;
  std::function<void()> on_large_answer;
};

struct ServerCounters {
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t rejected = 0;  // malformed, over a limit, timed out
};

// Loop-only, except counters(). Destroy it on its loop, after stop() has returned or with the loop
// not running any more.
class Server {
 public:
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // Stops accepting, cancels streams, lets running requests finish for at most `grace`.
  virtual base::Task<void> stop(base::Duration grace) = 0;
  virtual ServerCounters counters() const = 0;
  // Ends the connections whose client certificate the context believes no more, for its authority
  // was taken away by replace_trust(); those whose handshake is under way are looked at after it.
  virtual void end_untrusted() = 0;
};

// Requests run on `workers`; without TLS when `tls` is null (tests, and plain HTTP on loopback).
// Errors: unavailable with who holds the port where that can be told.
base::Result<std::unique_ptr<Server>> make_server(loop::Loop& loop, base::Executor& workers,
                                                  Handler& handler, std::shared_ptr<TlsContext> tls,
                                                  const ServerOptions& options);

}  // namespace skiff::http
