#include <skiff/client/node_channel.h>

#include "client/uplink/node_session.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/version.h>
#include <skiff/client/uplink.h>
#include <skiff/http/session_closer.h>

#include "client/limits.h"
#include "client/uplink/stream_carrier.h"

#include <map>
#include <utility>

namespace skiff::client {

namespace {

// Loop-only. Lives in the coroutine of run_node_session.
class NodeSession {
 public:
  NodeSession(http::Http2Connection& connection, const NodeSessionOptions& options,
              http::ChannelSession& session)
      : options_(options),
        connection_(connection),
        session_(session),
        context_{connection, *options.loop, options.local, options.node_name},
        scope_(*options.loop) {}

  base::Task<base::Status> run(base::CancelToken cancel) {
    http::SessionCloser closer(session_);
    base::CancelCallback on_cancel(cancel, closer.function());
    auto greeting = greet();
    bool greeted = co_await std::move(greeting);
    if (greeted) {
      if (options_.on_established) options_.on_established();
      scope_.spawn(send_heartbeats());
      auto listening = listen();
      co_await std::move(listening);
    }
    end_deadline();
    connection_.close();
    scope_.cancel();
    auto joining = scope_.join();
    co_await std::move(joining);
    if (cancel.is_cancelled()) co_return base::cancelled("the session was cancelled");
    co_return why_.is_ok() ? base::unavailable("the connection to the master is lost") : why_;
  }

 private:
  // The first reason counts.
  void fail(base::Status why) {
    if (why_.is_ok()) why_ = std::move(why);
    session_.close();
    connection_.close();
  }

  void begin_deadline(base::Duration limit, std::string_view what) {
    end_deadline();
    deadline_ = options_.loop->start_timer(limit, [this, what] {
      deadline_ = 0;
      fail(base::Status(base::Code::deadline_exceeded, std::string(what)));
    });
  }
  void end_deadline() {
    if (deadline_ != 0) options_.loop->cancel_timer(deadline_);
    deadline_ = 0;
  }

  base::Task<bool> send(ControlMessage message) {
    auto frame = encode_control(message);
    SKIFF_ASSERT(frame.is_ok());
    auto writing = session_.write(std::move(*frame));
    auto written = co_await std::move(writing);
    co_return written.is_ok();
  }

  // The next message; nullopt at the end.
  base::Task<std::optional<ControlMessage>> receive() {
    auto reading = session_.read();
    auto frame = co_await std::move(reading);
    if (!frame || !*frame) co_return std::nullopt;
    auto message = parse_control(**frame);
    if (!message) {
      fail(message.status().with_context("the master sent what is no message"));
      co_return std::nullopt;
    }
    co_return std::move(*message);
  }

  base::Task<bool> greet() {
    begin_deadline(kHelloTimeout, "the master does not answer");
    Hello hello;
    hello.version = base::kGitVersion;
    hello.features = {std::string(kFeatureStreams)};
    auto sending = send(std::move(hello));
    bool sent = co_await std::move(sending);
    while (sent) {
      auto receiving = receive();
      auto message = co_await std::move(receiving);
      if (!message) break;
      if (auto* goodbye = std::get_if<Goodbye>(&*message)) {
        fail(std::move(goodbye->why));
        break;
      }
      auto* answer = std::get_if<Hello>(&*message);
      if (answer == nullptr) continue;
      end_deadline();
      if (answer->version == base::kGitVersion)
        base::log_debug("the master has taken the session", {{"version", answer->version}});
      else
        base::log_info("the master is of another release",
                       {{"master", answer->version}, {"node", base::kGitVersion}});
      co_return true;
    }
    co_return false;
  }

  base::Task<void> listen() {
    for (;;) {
      auto receiving = receive();
      auto message = co_await std::move(receiving);
      if (!message) co_return;
      if (auto* answer = std::get_if<HeartbeatAnswer>(&*message)) {
        if (answer->sequence == sequence_) end_deadline();
      } else if (auto* open = std::get_if<OpenStream>(&*message)) {
        begin_stream(std::move(*open));
      } else if (auto* cancel = std::get_if<CancelStream>(&*message)) {
        auto found = streams_.find(cancel->id);
        if (found != streams_.end()) found->second.cancel();
      } else if (auto* goodbye = std::get_if<Goodbye>(&*message)) {
        fail(std::move(goodbye->why));
      } else if (std::holds_alternative<AuthoritiesChanged>(*message)) {
        if (options_.on_authorities_changed) options_.on_authorities_changed();
      }
    }
  }

  base::Task<void> send_heartbeats() {
    for (;;) {
      auto waiting = base::sleep(*options_.loop, options_.heartbeat_interval, scope_.token());
      bool slept = co_await std::move(waiting);
      if (!slept) co_return;
      ++sequence_;
      begin_deadline(kHeartbeatAnswerTimeout, "the master does not answer heartbeats");
      auto sending = send(Heartbeat{sequence_});
      bool sent = co_await std::move(sending);
      if (!sent) co_return;
    }
  }

  // A master keeps to the bound; more than that, or an id twice, is left without an answer.
  void begin_stream(OpenStream open) {
    if (streams_.size() >= kStreamsPerSessionMax || streams_.count(open.id) != 0) return;
    auto source = base::CancelSource::child_of(scope_.token());
    streams_.emplace(open.id, source);
    scope_.spawn(run_stream(std::move(open), source.token()));
  }
  base::Task<void> run_stream(OpenStream open, base::CancelToken cancel) {
    std::string id = open.id;
    auto carrying = carry_stream(context_, std::move(open), std::move(cancel));
    co_await std::move(carrying);
    streams_.erase(id);
  }

  const NodeSessionOptions& options_;
  http::Http2Connection& connection_;
  http::ChannelSession& session_;
  const CarrierContext context_;
  base::TaskScope scope_;
  std::map<std::string, base::CancelSource> streams_;  // those that run
  std::uint64_t sequence_ = 0;                         // of the last heartbeat
  base::TimerId deadline_ = 0;                         // of the hello or the heartbeat's answer
  base::Status why_;
};

}  // namespace

namespace {

// A master that has no such session is of another time.
base::Status explain_refusal(base::Status refusal) {
  if (refusal.code() != base::Code::not_found && refusal.code() != base::Code::unimplemented)
    return refusal;
  return base::Status(
      base::Code::unimplemented,
      base::concat("the master does not speak ", kNodeSessionProtocol, ", which this node, ",
                   base::kGitVersion,
                   ", needs: their releases are too far apart; they may differ by one (",
                   refusal.message(), ")"));
}

}  // namespace

NodeSessionRunner make_node_session(loop::Loop& loop, std::string node_name,
                                    std::function<void()> on_authorities_changed) {
  return [&loop, node_name, on_authorities_changed](
             http::Http2Connection& connection, NodeChannel* local,
             std::function<void()> on_established, base::CancelToken cancel) {
    NodeSessionOptions options;
    options.loop = &loop;
    options.node_name = node_name;
    options.local = local;
    options.on_established = std::move(on_established);
    options.on_authorities_changed = on_authorities_changed;
    return run_node_session(connection, std::move(options), std::move(cancel));
  };
}

base::Task<base::Status> run_node_session(http::Http2Connection& connection,
                                          NodeSessionOptions options, base::CancelToken cancel) {
  http::Http2Request request;
  request.target = kNodeSessionPath;
  request.headers.add(std::string(kNodeNameHeader), options.node_name);
  request.timeout = kHelloTimeout;
  request.cancel = cancel;
  auto asking = connection.open_session(std::string(kNodeSessionProtocol), std::move(request));
  auto session = co_await std::move(asking);
  if (!session) {
    connection.close();
    co_return explain_refusal(readable_refusal(session.status()));
  }
  base::Status why;
  {
    NodeSession running(connection, options, **session);
    auto task = running.run(cancel);
    why = co_await std::move(task);
  }
  co_return why;
}

}  // namespace skiff::client
