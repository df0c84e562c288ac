// Closing a session from where its loop is not.
#pragma once

#include <skiff/base/executor.h>
#include <skiff/http/message.h>

#include <memory>
#include <utility>

namespace skiff::http {

// Made and destroyed on the session's loop, before the session ends.
class SessionCloser {
 public:
  explicit SessionCloser(ChannelSession& session)
      : state_(std::make_shared<State>(State{&session, *base::Executor::current()})) {}
  ~SessionCloser() { state_->session = nullptr; }
  SessionCloser(const SessionCloser&) = delete;
  SessionCloser& operator=(const SessionCloser&) = delete;

  // Thread-safe, and may be called when the session is gone.
  base::UniqueFunction<void()> function() const {
    return [state = state_] {
      state->loop.post([state] {
        if (state->session != nullptr) state->session->close();
      });
    };
  }

 private:
  struct State {
    ChannelSession* session;  // loop-only; null once the closer is gone
    base::Executor& loop;
  };
  std::shared_ptr<State> state_;
};

}  // namespace skiff::http
