#include <skiff/client/frame_pipe.h>

#include <algorithm>

namespace skiff::client {

base::Task<base::Result<std::optional<NodeFrame>>> FramePipe::read(base::CancelToken cancel) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (!frames_.empty()) {
        std::optional<NodeFrame> frame(std::move(frames_.front()));
        frames_.pop_front();
        bytes_ -= std::min(bytes_, frame->data.size());
        writable_.notify();
        co_return frame;
      }
      if (closed_ && !why_.is_ok()) co_return why_;
      if (closed_) co_return std::optional<NodeFrame>();
    }
    bool notified = co_await readable_.wait(cancel);
    if (!notified) co_return base::cancelled("the stream was closed");
  }
}

base::Task<base::Status> FramePipe::write(NodeFrame frame, base::CancelToken cancel) {
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

void FramePipe::close(base::Status why) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) why_ = std::move(why);
    closed_ = true;
  }
  readable_.notify();
  writable_.notify();
}

std::size_t FramePipe::queued_bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

namespace {

class CallerEnd final : public NodeStream {
 public:
  explicit CallerEnd(StreamSessionPtr session) : session_(std::move(session)) {}
  ~CallerEnd() override { end(); }

  base::Task<base::Result<std::optional<NodeFrame>>> read() override {
    auto session = session_;
    // Not cancelled by the session: what the agent wrote before it ended is still delivered.
    co_return co_await session->to_caller.read({});
  }
  base::Task<base::Status> write(NodeFrame frame) override {
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
  StreamSessionPtr session_;
};

}  // namespace

std::unique_ptr<NodeStream> make_caller_end(StreamSessionPtr session) {
  return std::make_unique<CallerEnd>(std::move(session));
}

}  // namespace skiff::client
