#include "client/uplink/remote_watch.h"

#include "client/limits.h"
#include "client/uplink/answer.h"

#include <algorithm>

namespace skiff::client {

namespace {

base::Status list_again(std::string message) { return {base::Code::expired, std::move(message)}; }

}  // namespace

void RemoteWatch::move_to(std::uint64_t revision) {
  if (revision > revision_.load(std::memory_order_relaxed))
    revision_.store(revision, std::memory_order_relaxed);
}

void RemoteWatch::push(SentEvent event) {
  move_to(event.revision);
  {
    std::lock_guard lock(mutex_);
    if (!ended_.is_ok()) return;
    unread_bytes_ += event.bytes.size();
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
    unread_bytes_ -= unread_.front().bytes.size();
    taken.push_back(std::move(unread_.front()));
    unread_.pop_front();
  }
  return taken;
}

base::Result<WatchEvent> RemoteWatch::decode(SentEvent sent) const {
  WatchEvent event;
  event.type = sent.type;
  event.revision = sent.revision;
  SKIFF_ASSIGN_OR_RETURN(event.object, object_of_event(sent.bytes));
  return event;
}

base::Task<base::Result<std::vector<WatchEvent>>> RemoteWatch::next(base::CancelToken cancel) {
  for (;;) {
    base::Status ended;
    auto taken = take(ended);
    if (!ended.is_ok()) co_return ended;
    std::vector<WatchEvent> events;
    for (auto& sent : taken) {
      auto event = decode(std::move(sent));
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
