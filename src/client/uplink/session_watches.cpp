#include "client/uplink/session_watches.h"

#include <skiff/client/watch_frames.h>

#include "client/limits.h"
#include "client/uplink/answer.h"

namespace skiff::client {

void SessionWatches::queue(std::uint32_t id, std::string data) {
  http::ChannelFrame frame;
  frame.channel = id;
  frame.data = std::move(data);
  queued_.push_back(std::move(frame));
  changed_.notify();
}

void SessionWatches::subscribe(const RemoteWatch& watch) {
  SubscribeFrame frame;
  frame.revision = watch.revision();
  frame.takes_deltas = static_cast<bool>(watch.options.known_objects);
  frame.group = watch.resource.group;
  frame.version = watch.resource.version;
  frame.resource = watch.resource.resource;
  frame.namespace_name = watch.options.namespace_name;
  frame.label_selector = watch.options.label_selector;
  frame.field_selector = watch.options.field_selector;
  queue(watch.id, encode_watch_frame(frame));
}

void SessionWatches::add(std::shared_ptr<RemoteWatch> watch) {
  subscribe(*watch);
  const auto id = watch->id;
  carried_.insert_or_assign(id, Carried{std::move(watch)});
}

void SessionWatches::remove(std::uint32_t id) {
  if (carried_.erase(id) != 0) queue(id, encode_watch_frame(UnsubscribeFrame()));
}

base::Task<void> SessionWatches::subscribe_later(std::uint32_t id, base::CancelToken cancel) {
  bool waited = co_await base::sleep(loop_, kRewatchWait, cancel);
  auto at = carried_.find(id);
  if (waited && at != carried_.end()) subscribe(*at->second.watch);
}

void SessionWatches::end(std::shared_ptr<RemoteWatch> watch, std::string_view status_json) {
  auto error = error_of(kServerError, status_json);
  if (is_passing(error)) {
    carried_[watch->id].is_started = false;
    scope_.spawn(subscribe_later(watch->id, scope_.token()));
    return;
  }
  carried_.erase(watch->id);
  watch->end(std::move(error));
}

void SessionWatches::move_all(std::uint64_t revision) {
  for (auto& [id, carried] : carried_)
    if (carried.is_started) carried.watch->move_to(revision);
}

base::Status SessionWatches::take(const http::ChannelFrame& frame) {
  if (frame.kind != http::ChannelFrame::Kind::data) return base::Status::ok();
  SKIFF_ASSIGN_OR_RETURN(auto decoded, decode_watch_frame(frame.data));
  if (frame.channel == 0) {
    if (auto* position = std::get_if<PositionFrame>(&decoded)) move_all(position->revision);
    return base::Status::ok();
  }
  auto at = carried_.find(frame.channel);
  if (at == carried_.end()) return base::Status::ok();  // not wanted any more
  auto watch = at->second.watch;
  if (std::holds_alternative<StartedFrame>(decoded)) {
    at->second.is_started = true;
    watch->accept();
  } else if (auto* event = std::get_if<EventFrame>(&decoded)) {
    watch->push(sent_event(*event));
  } else if (auto* delta = std::get_if<DeltaFrame>(&decoded)) {
    watch->push(sent_event(*delta));
  } else if (auto* position = std::get_if<PositionFrame>(&decoded)) {
    watch->move_to(position->revision);
  } else if (auto* ended = std::get_if<EndedFrame>(&decoded)) {
    end(watch, ended->status);
  }
  if (watch->has_ended()) remove(watch->id);
  return base::Status::ok();
}

base::Task<void> SessionWatches::write_queued(base::CancelToken cancel) {
  for (;;) {
    while (!queued_.empty()) {
      auto frame = std::move(queued_.front());
      queued_.pop_front();
      auto writing = session_->write(std::move(frame));
      auto written = co_await writing;
      if (!written.is_ok()) co_return;
    }
    auto waiting = changed_.wait(cancel);
    bool notified = co_await waiting;
    if (!notified) co_return;
  }
}

base::Task<base::Status> SessionWatches::read_frames() {
  for (;;) {
    auto reading = session_->read();
    auto frame = co_await reading;
    if (!frame) co_return frame.status();
    if (!*frame) co_return base::unavailable("the master has closed the stream of watches");
    auto taken = take(**frame);
    if (!taken.is_ok()) co_return taken;
  }
}

base::Task<base::Status> SessionWatches::run(base::CancelToken cancel) {
  base::CancelCallback on_cancel(cancel, [this] { session_->close(); });
  scope_.spawn(write_queued(scope_.token()));
  auto reading = read_frames();
  auto ended = co_await reading;
  session_->close();
  scope_.cancel();
  auto joining = scope_.join();
  co_await joining;
  co_return ended;
}

}  // namespace skiff::client
