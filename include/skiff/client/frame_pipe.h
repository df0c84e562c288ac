// A two-way pipe of frames between who asked for a stream and who serves it. Bounded in bytes; each
// direction has one reader and one writer.
#pragma once

#include <skiff/client/node_channel.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::client {

// A writer waits while this much is queued in its direction.
inline constexpr std::size_t kStreamQueueBytesMax = 256u << 10;

// One direction. Thread-safe.
class FramePipe {
 public:
  // nullopt once it is closed and empty, or the reason of the close where it has one.
  base::Task<base::Result<std::optional<NodeFrame>>> read(base::CancelToken cancel);
  // Returns when the frame is queued. Errors: cancelled when the reader is gone.
  base::Task<base::Status> write(NodeFrame frame, base::CancelToken cancel);
  // What is queued can still be read. The first call counts.
  void close(base::Status why = {});
  std::size_t queued_bytes() const;

 private:
  mutable std::mutex mutex_;
  std::deque<NodeFrame> frames_;  // under mutex_
  std::size_t bytes_ = 0;         // under mutex_
  bool closed_ = false;           // under mutex_
  base::Status why_;              // under mutex_
  base::Notifier readable_, writable_;
};

// Both directions and what ends them. Shared by the two ends.
struct StreamSession {
  FramePipe to_agent, to_caller;
  base::CancelSource cancel;  // the caller has gone, or who serves it stops

  base::Task<base::Status> send(std::uint32_t channel, std::string data, bool end = false) {
    NodeFrame frame;
    frame.channel = channel;
    frame.data = std::move(data);
    frame.end = end;
    co_return co_await to_caller.write(std::move(frame), cancel.token());
  }
};
using StreamSessionPtr = std::shared_ptr<StreamSession>;

// The caller's end; closes the session when it is destroyed.
std::unique_ptr<NodeStream> make_caller_end(StreamSessionPtr session);

}  // namespace skiff::client
