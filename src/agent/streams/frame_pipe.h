// A two-way pipe of frames between the API server's side and the agent's. Bounded in bytes; each
// direction has one reader and one writer.
#pragma once

#include <skiff/client/node_channel.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::agent {

// One direction. Thread-safe.
class FramePipe {
 public:
  // nullopt once it is closed and empty.
  base::Task<base::Result<std::optional<client::NodeFrame>>> read(base::CancelToken cancel);
  // Returns when the frame is queued. Errors: cancelled when the reader is gone.
  base::Task<base::Status> write(client::NodeFrame frame, base::CancelToken cancel);
  // What is queued can still be read.
  void close();

 private:
  std::mutex mutex_;
  std::deque<client::NodeFrame> frames_;  // under mutex_
  std::size_t bytes_ = 0;                 // under mutex_
  bool closed_ = false;                   // under mutex_
  base::Notifier readable_, writable_;
};

// Both directions and what ends them. Shared by the two ends.
struct StreamSession {
  FramePipe to_agent, to_caller;
  base::CancelSource cancel;  // the caller has gone, or the agent stops

  base::Task<base::Status> send(std::uint32_t channel, std::string data, bool end = false) {
    client::NodeFrame frame;
    frame.channel = channel;
    frame.data = std::move(data);
    frame.end = end;
    co_return co_await to_caller.write(std::move(frame), cancel.token());
  }
};

// The caller's end; closes the session when it is destroyed.
std::unique_ptr<client::NodeStream> make_caller_end(std::shared_ptr<StreamSession> session);

}  // namespace skiff::agent
