// The master's side of skiff-watch-v1: every watch of a client on one stream. Each is authorized,
// filtered and fed as an ordinary watch request of that user.
#pragma once

#include <skiff/client/watch_frames.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "apiserver/context.h"
#include "apiserver/tunnel/watch_encoder.h"

namespace skiff::apiserver {

// Loop-only: on the loop of its connection, but for what authorizes. Lives until run() returns.
class WatchSession {
 public:
  WatchSession(Services& services, auth::User user, http::ChannelSession& session);
  base::Task<void> run();

 private:
  struct Watch {
    std::uint32_t id = 0;
    std::string target;  // the request that it stands for
    bool takes_deltas = false;
    std::uint64_t revision = 0;
    base::CancelSource cancel;
    std::optional<api::ApiError> refusal;  // the right to it has gone
    std::unique_ptr<watch::Subscription> subscription;
    std::unique_ptr<WatchEncoder> encoder;
    bool is_waiting = false;  // all that it has been given is written
  };
  using WatchRef = std::shared_ptr<Watch>;

  // False when the client does not keep to the protocol.
  bool take(const http::ChannelFrame& frame);
  void subscribe(std::uint32_t id, const client::SubscribeFrame& frame);
  void unsubscribe(std::uint32_t id);
  base::Task<void> serve(WatchRef watch);
  base::Task<api::Outcome<>> open(WatchRef watch);
  base::Task<api::ApiError> feed(WatchRef watch);
  base::Task<bool> write_changes(WatchRef watch, watch::Subscription::Batch batch);
  base::Task<bool> write(std::uint32_t id, client::WatchFrame frame);
  base::Task<bool> write_data(std::uint32_t id, std::string data);
  base::Task<void> end(std::uint32_t id, api::ApiError why);
  // Every minute.
  base::Task<void> look_after();
  void drop_stuck_client();
  base::Task<void> tell_position();
  base::Task<void> authorize_again();
  api::Outcome<> authorize(const Watch& watch, std::unique_ptr<RequestContext>& context) const;

  Services& services_;
  const auth::User user_;
  http::ChannelSession& session_;
  base::TaskScope scope_;
  std::map<std::uint32_t, WatchRef> watches_;
  watch::Revision told_ = 0;
  std::size_t writing_ = 0;   // writes that wait for the client
  bool has_written_ = false;  // since the last look
};

base::Task<ResponseOutcome> handle_watch_session(RequestContext& context);

}  // namespace skiff::apiserver
