// The body of a streamed answer, over whatever version of HTTP: pieces wait until there is room.
#pragma once

#include <skiff/base/async.h>
#include <skiff/http/message.h>

#include <memory>
#include <utility>
#include <vector>

namespace skiff::http {

// `Target` queues bytes: cancel_token(), has_room(), wait_sent(), is_stalled(), send_body_pieces()
// and abort_stream(). Lives in the coroutine of the stream. Loop-only.
template <class Target>
class QueueWriter final : public BodyWriter {
 public:
  explicit QueueWriter(std::shared_ptr<Target> target)
      : target_(std::move(target)), cancel_(target_->cancel_token()) {}

  base::Task<base::Status> write(std::vector<base::SharedBytes> pieces) override {
    return write_to(target_, std::move(pieces));
  }
  base::CancelToken cancel() const override { return cancel_; }
  void abort() override { target_->abort_stream(); }

 private:
  static base::Task<base::Status> write_to(std::shared_ptr<Target> target,
                                           std::vector<base::SharedBytes> pieces) {
    bool may_write = !target->cancel_token().is_cancelled();
    while (may_write && !target->has_room()) {
      auto waiting = target->wait_sent();
      may_write = co_await waiting;
    }
    if (!may_write) {
      if (target->is_stalled())
        co_return base::Status(base::Code::deadline_exceeded, "the reader is too slow");
      co_return base::cancelled("the client is gone");
    }
    target->send_body_pieces(pieces);
    co_return base::Status::ok();
  }

  std::shared_ptr<Target> target_;
  base::CancelToken cancel_;
};

}  // namespace skiff::http
