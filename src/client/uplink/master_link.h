// The connection of the moment, and requests on it.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/uplink.h>
#include <skiff/http/http2.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace skiff::client {

// Loop-only, shared by whoever sends.
class MasterLink {
 public:
  explicit MasterLink(loop::Loop& loop) : loop_(loop) {}
  loop::Loop& loop() { return loop_; }

  void connected(std::shared_ptr<http::Http2Connection> connection);
  void disconnected();
  // Thread-safe.
  bool is_connected() const { return is_connected_; }
  void add_load(UplinkLoad& all) const {
    all.requests += requests_;
    if (connection_) all.backlog = connection_->backlog();
  }
  // Nothing will be connected any more: whoever waits fails, and so does whoever comes.
  void stop();

  // Both wait for a connection for a short while. Errors: unavailable, too_many_requests,
  // deadline_exceeded. An answer with an error status is an answer.
  static base::Task<base::Result<http::ClientResponse>> send(std::shared_ptr<MasterLink> link,
                                                             http::Http2Request request);
  static base::Task<base::Result<std::unique_ptr<http::ResponseStream>>> open(
      std::shared_ptr<MasterLink> link, http::Http2Request request);

 private:
  // Null when none came in time.
  base::Task<std::shared_ptr<http::Http2Connection>> wait_connection();
  void wake_all(bool connected);

  loop::Loop& loop_;
  std::shared_ptr<http::Http2Connection> connection_;
  std::atomic<bool> is_connected_{false};
  bool stopped_ = false;
  std::size_t requests_ = 0;
  std::uint64_t next_waiter_ = 1;
  std::map<std::uint64_t, base::OneShot<bool>> waiters_;
};

}  // namespace skiff::client
