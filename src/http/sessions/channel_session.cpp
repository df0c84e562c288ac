#include "http/sessions/channel_session.h"

#include "http/limits.h"

#include <algorithm>

namespace skiff::http {

SessionBase::SessionBase(std::unique_ptr<SessionTransport> transport, std::string protocol)
    : transport_(std::move(transport)), protocol_(std::move(protocol)) {
  on_cancel_ = base::CancelCallback(transport_->cancel(), [this] { wake_all(); });
}

SessionBase::~SessionBase() = default;

void SessionBase::wake_all() {
  auto waiters = std::move(waiters_);
  waiters_.clear();
  for (auto& waiter : waiters) waiter.set(true);
}

base::Task<bool> SessionBase::wait_change() {
  if (transport_->cancel().is_cancelled()) co_return false;
  base::OneShot<bool> changed;
  waiters_.push_back(changed);
  auto future = changed.future();
  (void)co_await future;
  co_return !transport_->cancel().is_cancelled();
}

bool SessionBase::inbox_is_full() const {
  return inbox_bytes_ >= kSessionInboxBytesMax || inbox_.size() >= kSessionInboxFramesMax;
}

void SessionBase::close() {
  finish();
  closed_ = true;
  inbox_.clear();
  inbox_bytes_ = 0;
  end_input();
}

void SessionBase::deliver(ChannelFrame frame) {
  if (closed_) return;
  inbox_bytes_ += frame.data.size();
  inbox_.push_back(std::move(frame));
  wake_all();
}

void SessionBase::end_input() {
  input_ended_ = true;
  wake_all();
}

void SessionBase::on_end() { end_input(); }

base::Task<base::Result<std::optional<ChannelFrame>>> SessionBase::read() {
  while (inbox_.empty()) {
    if (input_ended_) co_return std::optional<ChannelFrame>();
    auto waiting = wait_change();
    bool changed = co_await waiting;
    if (!changed && inbox_.empty() && !input_ended_)
      co_return base::cancelled("the connection ends");
  }
  bool was_full = inbox_is_full();
  std::optional<ChannelFrame> frame(std::move(inbox_.front()));
  inbox_.pop_front();
  inbox_bytes_ -= frame->data.size();
  on_taken(*frame);
  if (was_full && !inbox_is_full()) transport_->resume_input();
  co_return frame;
}

base::Task<base::Status> SessionBase::write(ChannelFrame frame) {
  bool may_write = !transport_->cancel().is_cancelled();
  // The channel may not be open yet; a client that never opens it must not hold the task.
  base::CancelSource expired;
  base::TimerId timer = 0;
  auto& timers = transport_->timers();
  base::Status status;
  for (;;) {
    if (closed_) {
      status = base::cancelled("the session is closed");
      break;
    }
    if (!may_write) {
      status = base::cancelled("the connection ends");
      break;
    }
    bool has_room = transport_->queued_bytes() < kOutputQueueBytesMax;
    if (has_room) {
      status = send_frame(frame);
      bool is_open = status.code() != base::Code::not_found;
      if (is_open && status.code() != base::Code::unavailable) break;
      if (!is_open && expired.is_cancelled()) break;
      if (!is_open && timer == 0) {
        timer = timers.start_timer(kStreamOpenTimeout, [this, expired] {
          expired.cancel();
          wake_all();
        });
      }
    }
    auto waiting = wait_change();
    may_write = co_await waiting;
  }
  if (timer != 0) timers.cancel_timer(timer);
  co_return status;
}

}  // namespace skiff::http
