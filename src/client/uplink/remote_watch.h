// One watch of a caller: it outlasts the connections that feed it.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/client.h>
#include <skiff/client/uplink.h>
#include <skiff/client/watch_frames.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace skiff::client {

// An event as it came; the reader makes an object of it, on its own executor.
struct SentEvent {
  enum class Form : unsigned char {
    text,    // a line of an ordinary watch: {"type":…,"object":…}
    stored,  // the object as informers keep it
    steps,   // from the object that the reader has under `key`
  };
  Form form = Form::text;
  WatchEvent::Type type = WatchEvent::Type::added;
  std::uint64_t revision = 0;
  base::SharedBytes bytes;
  std::string key;
  std::uint32_t size = 0, checksum = 0;
};
SentEvent sent_event(const EventFrame& frame);
SentEvent sent_event(const DeltaFrame& frame);

// Fed on the loop, read by one task anywhere. Thread-safe.
class RemoteWatch {
 public:
  RemoteWatch(std::uint32_t id, Resource resource, ListOptions options, std::uint64_t revision)
      : id(id), resource(resource), options(std::move(options)), revision_(revision) {}

  const std::uint32_t id;
  const Resource resource;
  const ListOptions options;

  // Everything up to here has been queued: where the next connection goes on.
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  void move_to(std::uint64_t revision);
  // A reader that is too far behind is told to list again.
  void push(SentEvent event);
  // A master has taken the watch.
  void accept() { opened_.set(base::Status::ok()); }
  // The reader gets what is queued, then this. The first call wins.
  void end(base::Status why);
  bool has_ended() const;
  void add_load(UplinkLoad& all) const;
  // Ends it unless a master has taken it.
  void give_up(base::Status why) {
    if (opened_.set(why)) end(std::move(why));
  }

  // How the first attempt went; awaited once.
  base::Future<base::Status> opened() const { return opened_.future(); }
  base::Task<base::Result<std::vector<WatchEvent>>> next(base::CancelToken cancel);

 private:
  std::vector<SentEvent> take(base::Status& ended);
  // `before`: the events of this batch that come first.
  base::Result<WatchEvent> decode(const SentEvent& event,
                                  const std::vector<WatchEvent>& before) const;
  api::StoredObject object_before(std::string_view key,
                                  const std::vector<WatchEvent>& before) const;

  std::atomic<std::uint64_t> revision_;
  base::OneShot<base::Status> opened_;
  base::Notifier changed_;
  mutable std::mutex mutex_;
  std::deque<SentEvent> unread_;  // under mutex_
  std::size_t unread_bytes_ = 0;  // under mutex_
  base::Status ended_;            // under mutex_; ok while it runs
};

}  // namespace skiff::client
