// A connection that swallows what a session sends.
#pragma once

#include <skiff/loop/loop.h>

#include "http/sessions/channel_session.h"

namespace skiff::fuzz {

class SinkTransport final : public http::SessionTransport {
 public:
  void send(std::string_view bytes) override { sent_ += bytes.size(); }
  std::size_t queued_bytes() const override { return 0; }
  base::CancelToken cancel() const override { return {}; }
  base::Timers& timers() override { return timers_; }
  void resume_input() override {}

 private:
  class NoTimers final : public base::Timers {
   public:
    const base::Clock& clock() const override { return loop::real_clock(); }
    base::TimerId start_timer(base::Duration, base::UniqueFunction<void()>) override { return 1; }
    void cancel_timer(base::TimerId) override {}
  };
  NoTimers timers_;
  std::size_t sent_ = 0;
};

// Feeds `bytes` in pieces until the session refuses or its inbox is full.
inline void feed(http::UpgradedSession& session, std::string_view bytes, std::size_t step) {
  std::string pending;
  while (!bytes.empty()) {
    pending.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    auto used = session.on_input(pending);
    if (!used) break;
    SKIFF_ASSERT(*used <= pending.size());
    pending.erase(0, *used);
  }
  session.on_end();
  session.finish();
}

}  // namespace skiff::fuzz
