// The end of a wait: by the clock, or because the caller cancels.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/loop/loop.h>

namespace skiff::http {

// Loop-only.
class Deadline {
 public:
  Deadline(loop::Loop& loop, base::Duration timeout, const base::CancelToken& cancel)
      : loop_(loop), stop_(base::CancelSource::child_of(cancel)) {
    timer_ = loop_.start_timer(timeout, [this] {
      timer_ = 0;
      expired_ = true;
      stop_.cancel();
    });
  }
  ~Deadline() { end_timer(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // Cancelled at the deadline, or with the caller's token.
  base::CancelToken token() const { return stop_.token(); }
  bool is_expired() const { return expired_; }
  bool is_cancelled() const { return stop_.is_cancelled(); }
  // From now on only the caller's token counts.
  void end_timer() {
    if (timer_ != 0) loop_.cancel_timer(timer_);
    timer_ = 0;
  }

 private:
  loop::Loop& loop_;
  base::CancelSource stop_;
  base::TimerId timer_ = 0;
  bool expired_ = false;
};

}  // namespace skiff::http
