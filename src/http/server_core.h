// What a server, its connections and the requests on workers share.
#pragma once

#include <skiff/http/server.h>
#include <skiff/loop/network.h>

#include "http/detached.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skiff::http {

class ServerConnection;

// What waits for the answer to a request. Loop-only.
class Answerable {
 public:
  virtual ~Answerable() = default;
  virtual void on_response(Response response) = 0;
};

// Loop-only, except counters.
class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(loop::Loop& loop, base::Executor& workers, Handler& handler,
             std::shared_ptr<TlsContext> tls, ServerOptions options);

  loop::Loop& loop() { return loop_; }
  Handler& handler() { return handler_; }
  const ServerOptions& options() const { return options_; }
  TlsContext* tls() { return tls_.get(); }
  bool is_stopping() const { return stopping_; }

  void start();
  // Takes an accepted socket; `client` is its address without the port.
  void add(std::unique_ptr<loop::Socket> socket, std::string client, std::string address);
  void remove(ServerConnection& connection, const std::string& client);
  // Hands a request to a worker at the end of this turn.
  void dispatch(std::shared_ptr<Answerable> asker, Request request);
  // Flushes the connection at the end of this turn, or a later one.
  void flush_later(std::shared_ptr<ServerConnection> connection);
  // Of the current second.
  std::string_view date();
  // False when too many bytes of bodies are arriving already.
  bool reserve_body(std::size_t bytes);
  void release_body(std::size_t bytes) { arriving_bytes_ -= bytes; }
  void count_request() { ++requests_; }
  // An answer is over; the bytes are those of its body.
  void note_answer(std::uint64_t bytes) {
    if (options_.on_large_answer && bytes >= options_.large_answer_bytes)
      options_.on_large_answer();
  }
  void count_rejected() { ++rejected_; }
  // A connection went idle, or closed: stop() looks again.
  void note_change();

  base::Task<void> stop(base::Duration grace);
  void close_all();
  void end_untrusted();
  // True when it ended the connection.
  bool end_if_untrusted(ServerConnection& connection);
  // How often trust was taken from somebody.
  std::uint64_t trust_changes() const { return trust_changes_; }
  // Closes what is open and ends the work at the end of turns.
  void shut_down();
  ServerCounters counters() const;

 private:
  struct Pending {
    std::shared_ptr<Answerable> asker;
    Request request;
  };
  static Detached run_request(std::shared_ptr<ServerCore> core, Pending pending);
  static base::Task<void> wait_until_quiet(std::shared_ptr<ServerCore> core, base::Duration limit,
                                           bool handlers_only);
  void end_turn();
  void hand_over();
  void on_answer(const std::shared_ptr<Answerable>& asker, Response response);
  bool is_quiet(bool handlers_only) const;

  loop::Loop& loop_;
  base::Executor& workers_;
  Handler& handler_;
  std::shared_ptr<TlsContext> tls_;
  const ServerOptions options_;
  std::unique_ptr<loop::TurnHook> turn_hook_;
  // By number: the oldest first, in a run that is repeated, too.
  std::map<std::uint64_t, std::shared_ptr<ServerConnection>> connections_;
  std::unordered_map<std::string, std::size_t> clients_;
  std::vector<Pending> batch_;
  std::vector<std::shared_ptr<ServerConnection>> dirty_;
  std::size_t arriving_bytes_ = 0;
  std::size_t running_handlers_ = 0;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::uint64_t trust_changes_ = 0;
  bool stopping_ = false;
  base::Notifier changed_;
  std::atomic<std::uint64_t> accepted_ = 0, requests_ = 0, rejected_ = 0;
};

}  // namespace skiff::http
