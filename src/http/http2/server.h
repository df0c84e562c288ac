// The server's side of an HTTP/2 connection: streams become requests.
#pragma once

#include <skiff/base/cancel.h>

#include "http/http2/engine.h"
#include "http/server_core.h"
#include "http/sessions/channel_session.h"

#include <memory>
#include <optional>
#include <string>

namespace skiff::http {

class ServerConnection;
class Http2Server;

// One request and its answer. Loop-only.
//
//   arriving (head, body) -> handling -> answering (whole, stream or session) -> closed
class Http2ServerStream final : public Http2Stream,
                                public Answerable,
                                public std::enable_shared_from_this<Http2ServerStream> {
 public:
  Http2ServerStream(std::shared_ptr<ServerConnection> connection, Http2Server& server);

  bool on_header(std::string_view name, std::string_view value) override;
  void on_headers_end() override;
  void on_data(std::string_view data) override;
  void on_end_of_input() override;
  void on_sent() override;
  void on_closed(Http2Error error) override;
  void on_response(Response response) override;

  // For BodyWriter and sessions; nothing happens once the stream is closed.
  base::CancelToken cancel_token() const { return cancel_.token(); }
  base::Task<bool> wait_sent();
  bool has_room() const;
  void send_body_pieces(const std::vector<base::SharedBytes>& pieces);
  void abort_stream();
  void resume_input();
  base::Timers& timers();
  bool is_stalled() const { return stalled_; }

  // What has lasted too long ends.
  void check_deadlines(base::MonotonicTime now);
  // Something is to be looked at by the clock: the request arrives or is handled.
  bool has_deadline() const {
    bool sends = state_ == State::answering && !session_ && outbox.bytes() > 0;
    return state_ == State::arriving || state_ == State::handling || sends || is_half_closed();
  }
  bool is_answering() const { return state_ == State::answering; }
  void cancel() { cancel_.cancel(); }

 private:
  enum class State : unsigned char { arriving, handling, answering, closed };
  // Answered, and the client goes on sending.
  bool is_half_closed() const {
    return state_ == State::answering && outbox.is_ended() && outbox.bytes() == 0 && !input_ended_;
  }
  void begin_handling();
  void refuse(int status, std::string_view reason);
  void answer_whole(Response response);
  void answer_stream(Response response);
  void answer_session(Response response);
  void submit(const Response& response, std::optional<std::uint64_t> length, bool has_body);
  void feed_session();
  static Detached run_stream(std::shared_ptr<Http2ServerStream> self, StreamTask task);
  static Detached run_session(std::shared_ptr<Http2ServerStream> self,
                              std::shared_ptr<UpgradedSession> session, SessionTask task);
  void release_body();

  std::shared_ptr<ServerConnection> connection_;
  Http2Server* server_;  // lives in the connection
  State state_ = State::arriving;
  Request request_;
  std::string authority_;
  std::string request_protocol_;  // of an extended CONNECT
  bool headers_done_ = false;
  bool is_extended_connect_ = false;
  bool is_head_ = false;
  bool input_ended_ = false;
  bool stalled_ = false;
  std::size_t body_reserved_ = 0;
  std::uint64_t streamed_bytes_ = 0;
  std::size_t discarded_ = 0;   // of a body that was refused
  std::size_t uncredited_ = 0;  // bytes of a session that the peer's window still lacks
  std::string pending_;         // of a session: a frame that is not complete, or waits for room
  base::MonotonicTime since_;   // of the state
  base::MonotonicTime input_since_, sent_since_;
  base::CancelSource cancel_;
  std::unique_ptr<base::Notifier> sent_;
  std::shared_ptr<UpgradedSession> session_;
};

// Loop-only. Lives in its ServerConnection, whose pipe it uses.
class Http2Server final : public Http2Owner {
 public:
  explicit Http2Server(ServerConnection& connection);
  ~Http2Server() override;

  void on_input();
  void on_sent() { pump(); }
  // The server stops: no new streams, and what streams without end is ended.
  void on_stop();
  // The connection is gone.
  void close();
  bool is_quiet() const;
  std::optional<base::MonotonicTime> deadline() const;
  void on_deadline();

  // Moves bytes of the streams to the pipe while that is short of them.
  void pump();
  Http2Engine& engine() { return engine_; }
  ServerConnection& connection() { return connection_; }
  void handler_begins() { ++handlers_; }
  void handler_ends() { --handlers_; }
  void deadline_begins();

  std::shared_ptr<Http2Stream> on_stream(std::int32_t id) override;
  void on_ping_answer() override { ping_sent_.reset(); }
  void on_go_away() override {}

 private:
  ServerConnection& connection_;
  Http2Engine engine_;
  std::size_t handlers_ = 0;
  bool pumping_ = false;
  bool stopping_ = false;
  bool closed_ = false;
  bool watches_deadlines_ = false;
  base::MonotonicTime check_due_;
  base::MonotonicTime last_input_;
  base::MonotonicTime idle_since_;
  std::optional<base::MonotonicTime> ping_sent_;
};

}  // namespace skiff::http
