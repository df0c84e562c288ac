#include "client/uplink/remote_watch.h"

#include <skiff/client/byte_delta.h>

#include "client/informer_index.h"
#include "client/limits.h"
#include "client/uplink/answer.h"

#include <algorithm>

namespace skiff::client {

namespace {

base::Status list_again(std::string message) { return {base::Code::expired, std::move(message)}; }

}  // namespace

SentEvent sent_event(const EventFrame& frame) {
  SentEvent event;
  event.form = SentEvent::Form::stored;
  event.type = frame.type;
  event.revision = frame.revision;
  event.bytes = base::SharedBytes(frame.object);
  return event;
}

SentEvent sent_event(const DeltaFrame& frame) {
  SentEvent event;
  event.form = SentEvent::Form::steps;
  event.type = frame.type;
  event.revision = frame.revision;
  event.bytes = base::SharedBytes(frame.steps);
  event.key = frame.key;
  event.size = frame.size;
  event.checksum = frame.checksum;
  return event;
}

void RemoteWatch::move_to(std::uint64_t revision) {
  if (revision > revision_.load(std::memory_order_relaxed))
    revision_.store(revision, std::memory_order_relaxed);
}

void RemoteWatch::add_load(UplinkLoad& all) const {
  std::lock_guard lock(mutex_);
  all.unread_events = std::max(all.unread_events, unread_.size());
  all.unread_bytes = std::max(all.unread_bytes, unread_bytes_);
}

void RemoteWatch::push(SentEvent event) {
  move_to(event.revision);
  {
    std::lock_guard lock(mutex_);
    if (!ended_.is_ok()) return;
    unread_bytes_ += event.bytes.size() + event.key.size();
    unread_.push_back(std::move(event));
    if (unread_.size() > kUnreadEventsMax || unread_bytes_ > kUnreadEventBytesMax) {
      ended_ = list_again("the reader of the watch is too slow");
      unread_.clear();
      unread_bytes_ = 0;
    }
  }
  changed_.notify();
}

void RemoteWatch::end(base::Status why) {
  opened_.set(why);
  {
    std::lock_guard lock(mutex_);
    if (ended_.is_ok()) ended_ = std::move(why);
  }
  changed_.notify();
}

bool RemoteWatch::has_ended() const {
  std::lock_guard lock(mutex_);
  return !ended_.is_ok();
}

std::vector<SentEvent> RemoteWatch::take(base::Status& ended) {
  std::vector<SentEvent> taken;
  std::lock_guard lock(mutex_);
  if (unread_.empty()) ended = ended_;
  auto count = std::min(unread_.size(), kRemoteBatchMax);
  for (; count > 0; --count) {
    unread_bytes_ -= unread_.front().bytes.size() + unread_.front().key.size();
    taken.push_back(std::move(unread_.front()));
    unread_.pop_front();
  }
  return taken;
}

api::StoredObject RemoteWatch::object_before(std::string_view key,
                                             const std::vector<WatchEvent>& before) const {
  for (auto event = before.rbegin(); event != before.rend(); ++event)
    if (key_of(event->object) == key) return event->object;
  return options.known_objects ? options.known_objects(key) : api::StoredObject();
}

base::Result<WatchEvent> RemoteWatch::decode(const SentEvent& sent,
                                             const std::vector<WatchEvent>& before) const {
  WatchEvent event;
  event.type = sent.type;
  event.revision = sent.revision;
  if (sent.form == SentEvent::Form::text) {
    SKIFF_ASSIGN_OR_RETURN(event.object, object_of_event(sent.bytes.view()));
  } else if (sent.form == SentEvent::Form::stored) {
    event.object = api::StoredObject(sent.bytes, sent.revision);
  } else {
    auto base = object_before(sent.key, before);
    SKIFF_ASSIGN_OR_RETURN(
        auto bytes, apply_delta(base.stored().view(), sent.bytes.view(), sent.size, sent.checksum));
    event.object = api::StoredObject(base::SharedBytes(bytes), sent.revision);
  }
  return event;
}

base::Task<base::Result<std::vector<WatchEvent>>> RemoteWatch::next(base::CancelToken cancel) {
  for (;;) {
    base::Status ended;
    auto taken = take(ended);
    if (!ended.is_ok()) co_return ended;
    std::vector<WatchEvent> events;
    for (const auto& sent : taken) {
      auto event = decode(sent, events);
      if (!event) {
        end(list_again("an event of the watch is damaged"));
        co_return list_again("an event of the watch is damaged");
      }
      events.push_back(std::move(*event));
    }
    if (!events.empty()) co_return events;
    auto waiting = changed_.wait(cancel);
    bool notified = co_await waiting;
    if (!notified) co_return base::cancelled("the watch was cancelled");
  }
}

}  // namespace skiff::client
