// Two ends of a session without a connection, and a connection that makes them.
#pragma once

#include <skiff/base/async.h>
#include <skiff/http/http2.h>
#include <skiff/http/message.h>

#include "support/sim_fd_loop.h"

#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace skiff::test {

// What one end writes the other reads; nothing is bounded. Loop-only.
class MemorySession final : public http::ChannelSession {
 public:
  using Pair = std::pair<std::unique_ptr<MemorySession>, std::unique_ptr<MemorySession>>;
  static Pair make(std::string protocol = {}) {
    auto shared = std::make_shared<Shared>();
    shared->protocol = std::move(protocol);
    Pair pair;
    pair.first.reset(new MemorySession(shared, 0));
    pair.second.reset(new MemorySession(shared, 1));
    return pair;
  }
  ~MemorySession() override { shared_->end(); }

  std::string_view protocol() const override { return shared_->protocol; }
  base::Task<base::Result<std::optional<http::ChannelFrame>>> read() override {
    auto shared = shared_;
    auto popping = shared->inbox[side_].pop({});
    auto frame = co_await std::move(popping);
    co_return frame;
  }
  base::Task<base::Status> write(http::ChannelFrame frame) override {
    if (!shared_->inbox[1 - side_].try_push(std::move(frame))) co_return base::cancelled("closed");
    co_return base::Status();
  }
  void close() override { shared_->close(); }
  base::CancelToken cancel() const override { return shared_->gone.token(); }
  // The connection below is lost.
  void lose() { shared_->end(); }

 private:
  struct Shared {
    base::AsyncQueue<http::ChannelFrame> inbox[2] = {base::AsyncQueue<http::ChannelFrame>(10'000),
                                                     base::AsyncQueue<http::ChannelFrame>(10'000)};
    base::CancelSource gone;
    std::string protocol;
    void close() {
      inbox[0].close();
      inbox[1].close();
    }
    void end() {
      close();
      gone.cancel();
    }
  };
  MemorySession(std::shared_ptr<Shared> shared, int side)
      : shared_(std::move(shared)), side_(side) {}
  std::shared_ptr<Shared> shared_;
  const int side_;
};

// Keeps the server's ends of the sessions that are opened. Loop-only.
class MemoryConnection final : public http::Http2Connection {
 public:
  struct Opened {
    std::string target;
    http::Headers headers;
    std::unique_ptr<MemorySession> session;
  };
  base::Task<base::Result<http::ClientResponse>> send(http::Http2Request) override {
    co_return base::unavailable("no requests here");
  }
  base::Task<base::Result<std::unique_ptr<http::ResponseStream>>> open(
      http::Http2Request) override {
    co_return base::unavailable("no requests here");
  }
  base::Task<base::Result<std::unique_ptr<http::ChannelSession>>> open_session(
      std::string protocol, http::Http2Request request) override {
    if (!refusal.is_ok()) co_return refusal;
    auto pair = MemorySession::make(std::move(protocol));
    opened.push_back({request.target, request.headers, std::move(pair.second)});
    std::unique_ptr<http::ChannelSession> session = std::move(pair.first);
    co_return session;
  }
  base::CancelToken closed() const override { return gone.token(); }
  http::Http2Backlog backlog() const override { return {}; }
  void close() override {
    for (auto& one : opened) one.session->lose();
    gone.cancel();
  }
  base::Status refusal;
  std::deque<Opened> opened;
  base::CancelSource gone;
};

}  // namespace skiff::test
