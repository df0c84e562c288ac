#include "apiserver/tunnel/watch_session.h"

#include <skiff/base/strings.h>
#include <skiff/client/resource_path.h>

#include "apiserver/filters/filters.h"
#include "apiserver/limits.h"
#include "apiserver/routes.h"
#include "apiserver/selection.h"

#include <algorithm>

namespace skiff::apiserver {

namespace {

std::string target_of(const client::SubscribeFrame& frame) {
  const client::Resource resource{frame.group, frame.version, frame.resource};
  auto target = client::resource_path(resource, frame.namespace_name, {}, {});
  client::add_query(target, "watch", "true");
  client::add_query(target, "labelSelector", frame.label_selector);
  client::add_query(target, "fieldSelector", frame.field_selector);
  return target;
}

api::ApiError too_old(watch::Revision revision, watch::Revision oldest) {
  return api::expired_error(
      base::concat("too old resource version: ", revision, " (", oldest, ")"));
}

// Parts of a path that name something else than they say would be a request for that.
bool is_path_part(std::string_view text) {
  return text.find_first_of("/?#%") == std::string_view::npos;
}

}  // namespace

WatchSession::WatchSession(Services& services, auth::User user, http::ChannelSession& session)
    : services_(services),
      user_(std::move(user)),
      session_(session),
      scope_(*base::Executor::current()) {}

base::Task<void> WatchSession::run() {
  scope_.spawn(look_after());
  for (;;) {
    auto reading = session_.read();
    auto frame = co_await reading;
    if (!frame || !*frame || !take(**frame)) break;
  }
  session_.close();
  for (const auto& [id, watch] : watches_) watch->cancel.cancel();
  scope_.cancel();
  auto joining = scope_.join();
  co_await joining;
}

bool WatchSession::take(const http::ChannelFrame& frame) {
  if (frame.kind != http::ChannelFrame::Kind::data) return true;
  auto decoded = client::decode_watch_frame(frame.data);
  if (!decoded) return false;
  if (const auto* wanted = std::get_if<client::SubscribeFrame>(&*decoded))
    subscribe(frame.channel, *wanted);
  if (std::holds_alternative<client::UnsubscribeFrame>(*decoded)) unsubscribe(frame.channel);
  return true;
}

void WatchSession::subscribe(std::uint32_t id, const client::SubscribeFrame& frame) {
  const bool good = is_path_part(frame.group) && is_path_part(frame.version) &&
                    is_path_part(frame.resource) && !frame.resource.empty();
  if (id == 0 || !good || watches_.contains(id)) {
    scope_.spawn(end(id, api::bad_request_error("not a watch, or one that is there already")));
    return;
  }
  if (watches_.size() >= kSessionWatchesMax) {
    scope_.spawn(end(id, api::too_many_requests_error("too many watches on one connection", 1)));
    return;
  }
  auto watch = std::make_shared<Watch>();
  watch->id = id;
  watch->target = target_of(frame);
  watch->takes_deltas = frame.takes_deltas;
  watch->revision = frame.revision;
  watches_.emplace(id, watch);
  scope_.spawn(serve(std::move(watch)));
}

void WatchSession::unsubscribe(std::uint32_t id) {
  auto at = watches_.find(id);
  if (at == watches_.end()) return;
  auto watch = at->second;
  watches_.erase(at);
  watch->cancel.cancel();
}

base::Task<bool> WatchSession::write(std::uint32_t id, client::WatchFrame frame) {
  auto writing = write_data(id, client::encode_watch_frame(frame));
  co_return co_await writing;
}

// Returns when the frame is in a bounded queue; false when the client is gone.
base::Task<bool> WatchSession::write_data(std::uint32_t id, std::string data) {
  http::ChannelFrame frame;
  frame.channel = id;
  frame.data = std::move(data);
  ++writing_;
  auto writing = session_.write(std::move(frame));
  auto written = co_await writing;
  --writing_;
  has_written_ = true;
  co_return written.is_ok();
}

base::Task<void> WatchSession::end(std::uint32_t id, api::ApiError why) {
  const auto text = codec::write_json(why.to_json());
  auto writing = write(id, client::EndedFrame{text});
  (void)co_await writing;
}

base::Task<void> WatchSession::serve(WatchRef watch) {
  api::ApiError why;
  bool is_open = false;
  {
    // A block, as a watch lasts for days and what opened it must not.
    auto opening = open(watch);
    auto opened = co_await opening;
    is_open = opened.is_ok();
    if (!is_open) why = opened.error();
  }
  if (is_open) {
    auto feeding = feed(watch);
    why = co_await feeding;
  }
  watch->is_waiting = false;
  // A watch that the client has let go, or whose number it uses again, is not spoken of.
  auto at = watches_.find(watch->id);
  if (at == watches_.end() || at->second != watch) co_return;
  watches_.erase(at);
  auto ending = end(watch->id, std::move(why));
  co_await ending;
}

// The filters of the request; then the context knows what is watched.
api::Outcome<> WatchSession::authorize(const Watch& watch,
                                       std::unique_ptr<RequestContext>& context) const {
  http::Request request;
  request.method = "GET";
  request.target = watch.target;
  context.reset(new RequestContext{services_, std::move(request), {}, {}, {}, {}});
  SKIFF_TRY(auto permit, run_filters(*context, &user_));
  SKIFF_CHECK(check_route(*context));
  if (context->info.verb != "watch" || !context->info.subresource.empty())
    return api::bad_request_error("not a watch");
  return api::Done{};
}

base::Task<api::Outcome<>> WatchSession::open(WatchRef watch) {
  base::Executor& home = *base::Executor::current();
  co_await base::switch_to(*services_.options.workers);
  std::unique_ptr<RequestContext> context;
  auto result = authorize(*watch, context);
  if (result.is_ok()) {
    auto filter = WatchFilter::make(*context->info.type, context->parameter("labelSelector"),
                                    context->parameter("fieldSelector"));
    if (!filter.is_ok()) result = filter.error();
    if (filter.is_ok())
      watch->encoder = std::make_unique<WatchEncoder>(
          *context->info.type, std::move(filter).value(), watch->takes_deltas, *services_.deltas);
  }
  if (result.is_ok()) {
    auto waiting =
        snapshot_at_least(services_, std::to_string(watch->revision), watch->cancel.token());
    auto current = co_await waiting;
    // Of another history: only a list tells the truth.
    if (!current.is_ok()) result = api::expired_error(current.error().message);
  }
  if (result.is_ok()) {
    auto scope = context->scope();
    scope.name.clear();
    auto& hub = services_.registry->hub();
    auto subscribed = hub.subscribe(registry::prefix_of(scope), watch->revision);
    if (subscribed.is_ok())
      watch->subscription = std::move(*subscribed);
    else
      result = too_old(watch->revision, hub.oldest());
  }
  co_await base::switch_to(home);
  co_return result;
}

base::Task<bool> WatchSession::write_changes(WatchRef watch, watch::Subscription::Batch batch) {
  for (const auto& change : batch.changes) {
    auto data = watch->encoder->encode(change);
    if (data.empty()) continue;
    if (watch->cancel.is_cancelled()) co_return false;
    auto writing = write_data(watch->id, std::move(data));
    bool written = co_await writing;
    if (!written) co_return false;
  }
  co_return true;
}

// Returns with what ended it; of no meaning when the client has let it go.
base::Task<api::ApiError> WatchSession::feed(WatchRef watch) {
  bool alive = false;
  {
    auto starting = write(watch->id, client::StartedFrame());
    alive = co_await starting;
  }
  while (alive) {
    watch->is_waiting = true;
    auto waiting = watch->subscription->next(kWatchBatchMax, watch->cancel.token());
    auto batch = co_await waiting;
    watch->is_waiting = false;
    if (batch.code() == base::Code::expired)
      co_return too_old(watch->revision, services_.registry->hub().oldest());
    if (!batch) break;
    watch->revision = std::max(watch->revision, batch->upto);
    auto writing = write_changes(watch, std::move(*batch));
    alive = co_await writing;
  }
  co_return watch->refusal ? *watch->refusal
                           : api::service_unavailable_error("the watch has ended");
}

base::Task<void> WatchSession::look_after() {
  auto cancel = scope_.token();
  for (int minutes = 1;; ++minutes) {
    bool waited = co_await base::sleep(*services_.options.timers, kSessionCheckInterval, cancel);
    if (!waited) co_return;
    drop_stuck_client();
    scope_.spawn(tell_position());
    if (minutes % kSessionAuthorizeEvery != 0) continue;
    auto authorizing = authorize_again();
    co_await authorizing;
  }
}

void WatchSession::drop_stuck_client() {
  if (writing_ > 0 && !std::exchange(has_written_, false)) session_.close();
}

// So that a client that comes back later goes on from here, and need not list again.
base::Task<void> WatchSession::tell_position() {
  if (watches_.empty()) co_return;
  auto least = ~watch::Revision{0};
  for (const auto& [id, watch] : watches_) {
    if (!watch->is_waiting) co_return;  // something is on its way
    least = std::min(least, watch->subscription->position());
  }
  if (least < told_ + kPositionStep) co_return;
  told_ = least;
  auto writing = write(0, client::PositionFrame{least});
  (void)co_await writing;
}

// An ordinary watch ends after a while and is authorized anew; here that is done in place.
base::Task<void> WatchSession::authorize_again() {
  std::vector<WatchRef> watches;
  for (const auto& [id, watch] : watches_) watches.push_back(watch);
  base::Executor& home = *base::Executor::current();
  for (const auto& watch : watches) {
    co_await base::switch_to(*services_.options.workers);
    std::unique_ptr<RequestContext> context;
    auto allowed = authorize(*watch, context);
    co_await base::switch_to(home);
    if (allowed.is_ok()) continue;
    watch->refusal = allowed.error();
    watch->cancel.cancel();
  }
}

namespace {

base::Task<void> run_watch_session(Services* services, auth::User user,
                                   http::ChannelSession* session) {
  WatchSession watches(*services, std::move(user), *session);
  auto running = watches.run();
  co_await running;
}

}  // namespace

base::Task<ResponseOutcome> handle_watch_session(RequestContext& context) {
  const auto& request = context.request;
  if (request.method != "CONNECT" || request.headers.get(":protocol") != client::kWatchProtocol)
    co_return api::bad_request_error(base::concat("an extended CONNECT with the protocol ",
                                                  base::quote(client::kWatchProtocol),
                                                  " is expected, over HTTP/2"));
  http::Response response;
  response.upgrade = std::make_unique<http::Upgrade>();
  response.upgrade->transport = http::Upgrade::Transport::http2;
  response.upgrade->protocols = {std::string(client::kWatchProtocol)};
  response.upgrade->run = [services = &context.services,
                           user = context.user](http::ChannelSession& session) {
    return run_watch_session(services, user, &session);
  };
  co_return response;
}

}  // namespace skiff::apiserver
