// A node's own channel that serves streams by what their container is called.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/frame_pipe.h>

#include <memory>
#include <string>
#include <vector>

namespace skiff::test {

// echo: what is written on 0 comes back on 1, until the end of 0; then "bye" on 3.
// flood: pieces of 32 KB on 1 without end.
// sink: nothing is read and nothing comes.
// broken: one frame, then the stream breaks off.
// slow: opens when it is cancelled, with an error.
// Everything else is not found. Loop-only.
class FakeNode final : public client::NodeChannel {
 public:
  base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open(
      std::string node, client::NodeRequest request) override {
    last_node = std::move(node);
    last = request;
    ++opened;
    if (request.container == "slow") {
      base::OneShot<bool> cancelled;
      base::CancelCallback on_cancel(request.cancel, [cancelled] { cancelled.set(true); });
      auto future = cancelled.future();
      (void)co_await future;
      ++given_up;
      co_return base::cancelled("not wanted any more");
    }
    auto session = std::make_shared<client::StreamSession>();
    auto& loop = *base::Executor::current();
    if (request.container == "echo") {
      base::spawn_detached(loop, echo(session));
    } else if (request.container == "flood") {
      base::spawn_detached(loop, flood(session, produced));
    } else if (request.container == "broken") {
      client::NodeFrame frame{1, "half", false};
      auto writing = session->to_caller.write(std::move(frame), {});
      (void)co_await std::move(writing);
      session->to_caller.close(base::unavailable("the disk is gone"));
    } else if (request.container != "sink") {
      co_return base::not_found("container not found (\"" + request.container + "\")");
    }
    sessions.push_back(session);
    co_return client::make_caller_end(session);
  }

  int opened = 0, given_up = 0;
  std::string last_node;
  client::NodeRequest last;
  std::vector<client::StreamSessionPtr> sessions;
  std::shared_ptr<std::size_t> produced = std::make_shared<std::size_t>(0);  // bytes of floods

 private:
  static base::Task<void> echo(client::StreamSessionPtr session) {
    for (;;) {
      auto reading = session->to_agent.read(session->cancel.token());
      auto frame = co_await std::move(reading);
      if (!frame || !*frame) co_return;
      const bool end = (*frame)->end;
      auto sending = session->send(1, std::move((*frame)->data), end);
      auto sent = co_await std::move(sending);
      if (!sent.is_ok()) co_return;
      if (end) break;
    }
    auto sending = session->send(3, "bye", true);
    (void)co_await std::move(sending);
    session->to_caller.close();
  }
  static base::Task<void> flood(client::StreamSessionPtr session,
                                std::shared_ptr<std::size_t> produced) {
    for (;;) {
      constexpr std::size_t kPieceBytes = 32u << 10;
      auto sending = session->send(1, std::string(kPieceBytes, 'x'));
      auto sent = co_await std::move(sending);
      if (!sent.is_ok()) co_return;
      *produced += kPieceBytes;
    }
  }
};

}  // namespace skiff::test
