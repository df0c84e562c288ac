#include "agent/streams/frame_pipe.h"

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

base::Task<base::Result<std::optional<client::NodeFrame>>> FramePipe::read(
    base::CancelToken cancel) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (!frames_.empty()) {
        std::optional<client::NodeFrame> frame(std::move(frames_.front()));
        frames_.pop_front();
        bytes_ -= std::min(bytes_, frame->data.size());
        writable_.notify();
        co_return frame;
      }
      if (closed_) co_return std::optional<client::NodeFrame>();
    }
    bool notified = co_await readable_.wait(cancel);
    if (!notified) co_return base::cancelled("the stream was closed");
  }
}

base::Task<base::Status> FramePipe::write(client::NodeFrame frame, base::CancelToken cancel) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) co_return base::cancelled("the stream was closed");
      if (bytes_ < kStreamQueueBytesMax) {
        bytes_ += frame.data.size();
        frames_.push_back(std::move(frame));
        readable_.notify();
        co_return base::Status();
      }
    }
    bool notified = co_await writable_.wait(cancel);
    if (!notified) co_return base::cancelled("the stream was closed");
  }
}

void FramePipe::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  readable_.notify();
  writable_.notify();
}

namespace {

class CallerEnd final : public client::NodeStream {
 public:
  explicit CallerEnd(std::shared_ptr<StreamSession> session) : session_(std::move(session)) {}
  ~CallerEnd() override { end(); }

  base::Task<base::Result<std::optional<client::NodeFrame>>> read() override {
    auto session = session_;
    // Not cancelled by the session: what the agent wrote before it ended is still delivered.
    co_return co_await session->to_caller.read({});
  }
  base::Task<base::Status> write(client::NodeFrame frame) override {
    auto session = session_;
    co_return co_await session->to_agent.write(std::move(frame), session->cancel.token());
  }
  void close() override { end(); }

 private:
  void end() {
    session_->to_agent.close();
    session_->to_caller.close();
    session_->cancel.cancel();
  }
  std::shared_ptr<StreamSession> session_;
};

}  // namespace

std::unique_ptr<client::NodeStream> make_caller_end(std::shared_ptr<StreamSession> session) {
  return std::make_unique<CallerEnd>(std::move(session));
}

}  // namespace skiff::agent
