// Watches on one stream: the worker's side of skiff-watch-v1.
#pragma once

#include "client/uplink/watch_set.h"

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace skiff::client {

// Loop-only.
class SessionWatches final : public WatchCarrier {
 public:
  SessionWatches(loop::Loop& loop, std::unique_ptr<http::ChannelSession> session)
      : loop_(loop), session_(std::move(session)), scope_(loop) {}
  void add(std::shared_ptr<RemoteWatch> watch) override;
  void remove(std::uint32_t id) override;
  // Until the session ends, with why: unimplemented when the master speaks another version.
  base::Task<base::Status> run(base::CancelToken cancel);

 private:
  base::Task<void> write_queued(base::CancelToken cancel);
  base::Task<base::Status> read_frames();
  base::Task<void> subscribe_later(std::uint32_t id, base::CancelToken cancel);
  void subscribe(const RemoteWatch& watch);
  void queue(std::uint32_t id, std::string data);
  base::Status take(const http::ChannelFrame& frame);
  void end(std::shared_ptr<RemoteWatch> watch, std::string_view status_json);
  void move_all(std::uint64_t revision);

  loop::Loop& loop_;
  std::unique_ptr<http::ChannelSession> session_;
  base::TaskScope scope_;
  struct Carried {
    std::shared_ptr<RemoteWatch> watch;
    bool is_started = false;
  };
  std::map<std::uint32_t, Carried> carried_;
  std::deque<http::ChannelFrame> queued_;
  base::Notifier changed_;
};

}  // namespace skiff::client
