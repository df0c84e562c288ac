// Every watch of the node, and what feeds them on the connection of the moment.
#pragma once

#include <skiff/client/uplink.h>
#include <skiff/http/http2.h>

#include "client/uplink/remote_watch.h"

#include <cstdint>
#include <map>
#include <memory>

namespace skiff::client {

// Feeds watches from one connection. Loop-only.
class WatchCarrier {
 public:
  virtual ~WatchCarrier() = default;
  virtual void add(std::shared_ptr<RemoteWatch> watch) = 0;
  virtual void remove(std::uint32_t id) = 0;
};

// Loop-only, shared by the streams.
class WatchSet {
 public:
  explicit WatchSet(loop::Loop& loop) : loop_(loop) {}
  loop::Loop& loop() { return loop_; }

  // Errors: unavailable after stop(), too_many_requests.
  base::Result<std::shared_ptr<RemoteWatch>> add(Resource resource, ListOptions options,
                                                 std::uint64_t revision);
  void remove(std::uint32_t id);
  void add_load(UplinkLoad& all) const;
  // Feeds all of them from the connection until it ends or `cancel`.
  base::Task<void> carry(std::shared_ptr<http::Http2Connection> connection,
                         base::CancelToken cancel);
  // No connection will come any more.
  void stop();

 private:
  void use(WatchCarrier* carrier);
  // By one stream for all, while that works. True when the master does not know it.
  base::Task<bool> carry_by_session(std::shared_ptr<http::Http2Connection> connection,
                                    base::CancelToken cancel);
  base::Task<void> carry_plain(std::shared_ptr<http::Http2Connection> connection,
                               base::CancelToken cancel);

  loop::Loop& loop_;
  std::map<std::uint32_t, std::shared_ptr<RemoteWatch>> watches_;
  std::uint32_t next_id_ = 1;
  WatchCarrier* carrier_ = nullptr;
  bool stopped_ = false;
};

}  // namespace skiff::client
