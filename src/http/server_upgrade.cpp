// The part of a connection that begins and runs an upgraded protocol.
#include "http/limits.h"
#include "http/response_text.h"
#include "http/server_connection.h"

namespace skiff::http {

namespace {

// Loop-only.
class ConnectionTransport final : public SessionTransport {
 public:
  explicit ConnectionTransport(std::shared_ptr<ServerConnection> connection)
      : connection_(std::move(connection)), cancel_(connection_->cancel_token()) {}
  void send(std::string_view bytes) override {
    connection_->pipe().send(bytes);
    connection_->send_soon();
  }
  std::size_t queued_bytes() const override { return connection_->pipe().queued_bytes(); }
  base::CancelToken cancel() const override { return cancel_; }
  base::Timers& timers() override { return connection_->timers(); }
  void resume_input() override { connection_->resume_input(); }

 private:
  std::shared_ptr<ServerConnection> connection_;
  base::CancelToken cancel_;
};

std::unique_ptr<SessionTransport> transport_of(std::shared_ptr<ServerConnection> connection) {
  return std::make_unique<ConnectionTransport>(std::move(connection));
}

std::unique_ptr<UpgradedSession> make_session(const Handshake& handshake,
                                              std::unique_ptr<SessionTransport> transport,
                                              StreamTypes stream_types) {
  switch (handshake.kind) {
    case Handshake::Kind::websocket:
      return make_websocket_session(std::move(transport), handshake.protocol);
    case Handshake::Kind::tunnel:
      return make_tunnel_session(std::move(transport), handshake.protocol, std::move(stream_types));
    default:
      return make_spdy_session(std::move(transport), handshake.protocol, std::move(stream_types));
  }
}

}  // namespace

void ServerConnection::answer_upgrade(Response response) {
  auto upgrade = std::move(response.upgrade);
  if (upgrade->transport == Upgrade::Transport::raw) {
    upgrade_headers_ = Headers();
    begin_session(response.headers, make_raw_session(transport_of(shared_from_this())),
                  std::move(upgrade->run));
    return;
  }
  auto handshake = negotiate_upgrade(upgrade_method_, upgrade_headers_, upgrade->protocols);
  upgrade_headers_ = Headers();
  if (handshake.kind == Handshake::Kind::refused) {
    Response refusal;
    refusal.status = handshake.status;
    refusal.headers = std::move(handshake.headers);
    refusal.headers.add("Content-Type", "text/plain; charset=utf-8");
    refusal.body.emplace_back(handshake.reason + "\n");
    answer_whole(std::move(refusal));
    return;
  }
  begin_session(
      handshake.headers,
      make_session(handshake, transport_of(shared_from_this()), std::move(upgrade->stream_types)),
      std::move(upgrade->run));
}

void ServerConnection::begin_session(const Headers& headers,
                                     std::shared_ptr<UpgradedSession> session, SessionTask task) {
  pipe_->send(make_response_head(101, headers, HeadFraming(), core_->date()));
  send_soon();
  state_ = State::upgraded;
  state_since_ = now();
  upgraded_ = session;
  run_session(shared_from_this(), std::move(session), std::move(task));
}

void ServerConnection::feed_upgraded() {
  auto session = upgraded_;
  if (!session || pipe_->input().empty()) return;
  auto used = session->on_input(pipe_->input());
  if (!pipe_->is_open()) return;
  if (used) {
    pipe_->consume(*used);
    return;
  }
  core_->count_rejected();
  pipe_->consume(pipe_->input().size());
  cancel_.cancel();  // the session's task ends, then the connection
}

void ServerConnection::resume_input() {
  if (state_ == State::upgraded && pipe_->is_open()) process_input();
}

Detached ServerConnection::run_session(std::shared_ptr<ServerConnection> self,
                                       std::shared_ptr<UpgradedSession> session, SessionTask task) {
  {
    auto running = task(*session);
    co_await running;
  }
  task = SessionTask();
  self->on_session_end();
}

void ServerConnection::on_session_end() {
  auto session = std::move(upgraded_);
  upgraded_ = nullptr;
  if (state_ != State::upgraded || !pipe_->is_open()) return;
  if (session) session->finish();
  begin_closing();
}

}  // namespace skiff::http
