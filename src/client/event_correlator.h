// Which events are written, and as what: client-go's EventCorrelator.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace skiff::client {

// A map that forgets what was not used for longest. Thread-compatible.
template <class Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(std::size_t max) : max_(max) {}
  Value& operator[](const std::string& key) {
    auto found = places_.find(key);
    if (found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().second;
    }
    if (entries_.size() >= max_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, Value());
    places_.emplace(key, entries_.begin());
    return entries_.front().second;
  }
  std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, Value>>;
  const std::size_t max_;
  Entries entries_;
  std::unordered_map<std::string, typename Entries::iterator> places_;
};

struct EventWrite {
  codec::Json event;   // whole, with the count so far
  bool patch = false;  // the event was written before: only count, lastTimestamp, message change
};

// Thread-compatible.
class EventCorrelator {
 public:
  EventCorrelator();
  // `event` is a core/v1 Event with count 1; nullopt when its object has used up its budget.
  std::optional<EventWrite> correlate(codec::Json event, base::WallTime now,
                                      base::MonotonicTime monotonic);

 private:
  struct Similar {
    std::set<std::string> messages;
    base::MonotonicTime last;
    bool used = false;
  };
  struct Written {
    std::string name, first_timestamp;
    std::int64_t count = 0;
  };
  struct Bucket {
    double tokens = 0;
    base::MonotonicTime filled;
    bool used = false;
  };
  bool spends_token(const std::string& key, base::MonotonicTime now);

  RecentlyUsed<Similar> similar_;
  RecentlyUsed<Written> written_;
  RecentlyUsed<Bucket> buckets_;
  std::int64_t last_name_ns_ = 0;
};

// `<object>.<hexadecimal nanoseconds>`.
std::string event_name(std::string_view object_name, base::WallTime now);

}  // namespace skiff::client
