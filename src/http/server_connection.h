// One client's connection: requests one after the other, each answered before the next.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/cancel.h>

#include "http/framer.h"
#include "http/http2/server.h"
#include "http/server_core.h"
#include "http/sessions/channel_session.h"
#include "http/socket_pipe.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skiff::http {

// Loop-only.
//
//   head -> body -> handling -> head            an answer with a body of known size
//                   handling -> streaming -> head
//                   handling -> upgraded -> closing
//   any -> closing (the last bytes go out) -> closed
//   handshake -> http2 -> closing               when ALPN says so; streams are requests then
class ServerConnection final : public PipeOwner,
                               public Answerable,
                               public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(std::shared_ptr<ServerCore> core, std::uint64_t number, std::string client,
                   Peer peer)
      : core_(std::move(core)),
        number_(number),
        client_(std::move(client)),
        peer_(std::move(peer)) {}
  ~ServerConnection() override;

  std::uint64_t number() const { return number_; }
  base::Status start(std::unique_ptr<loop::Socket> socket, std::unique_ptr<TlsSession> tls);
  void flush();
  void on_response(Response response) override;
  // The server stops: end what has no answer under way.
  void on_stop();
  void close_now(base::Status why);
  // True while it is not known.
  bool is_peer_trusted() const;
  // No answer is under way and nothing is queued.
  bool is_quiet() const;

  // For BodyWriter and upgraded protocols.
  SocketPipe& pipe() { return *pipe_; }
  base::CancelToken cancel_token() const { return cancel_.token(); }
  // What is queued is sent, then the connection ends without the body's last chunk.
  void abort_stream();
  bool is_stalled() const { return stalled_; }
  bool has_room() const;
  // True when bytes went out, false when cancelled.
  base::Task<bool> wait_sent();
  void send_body_pieces(const std::vector<base::SharedBytes>& pieces);
  void send_soon();
  void resume_input();
  base::Timers& timers() { return core_->loop(); }
  // For HTTP/2.
  ServerCore& core() { return *core_; }
  const Peer& peer() const { return peer_; }
  base::MonotonicTime now() const { return core_->loop().clock().monotonic(); }
  // What is queued goes out, then the connection ends.
  void begin_closing();
  void arm_timer();

  std::shared_ptr<void> keep_alive() override { return shared_from_this(); }
  void on_established() override;
  void on_input() override;
  void on_end_of_input() override;
  void on_sent() override;
  void on_closed(base::Status why) override;

 private:
  enum class State : unsigned char {
    handshake,
    head,
    body,
    handling,
    streaming,
    upgraded,
    http2,
    closing,
    closed
  };
  static Detached run_stream(std::shared_ptr<ServerConnection> self, StreamTask task);
  static Detached run_session(std::shared_ptr<ServerConnection> self,
                              std::shared_ptr<UpgradedSession> session, SessionTask task);

  void process_input();
  // Each returns whether to go on with the input.
  bool read_head();
  bool begin_request(std::size_t head_bytes);
  bool read_body();
  void feed_upgraded();
  void complete_request();
  void answer(Response response);
  void answer_whole(Response response);
  void answer_stream(Response response);
  void answer_upgrade(Response response);
  // Answers 101 with these headers; the rest of the connection is the session's.
  void begin_session(const Headers& headers, std::shared_ptr<UpgradedSession> session,
                     SessionTask task);
  void end_answer();
  void on_stream_end();
  void on_session_end();
  void refuse(FramingError error);
  void send_refusal(int status, std::string_view content_type, std::string_view body);
  bool keeps_alive() const;
  void release_body();

  // The moment after which the state has lasted too long; nullopt = never.
  std::optional<base::MonotonicTime> deadline() const;
  void on_timer();

  std::shared_ptr<ServerCore> core_;
  const std::uint64_t number_;
  const std::string client_;
  Peer peer_;
  std::unique_ptr<SocketPipe> pipe_;
  State state_ = State::handshake;
  bool input_ended_ = false;
  bool stalled_ = false;
  bool head_begun_ = false;
  bool flush_pending_ = false;
  bool handler_timed_out_ = false;
  std::uint64_t trust_changes_ = 0;  // when it began
  base::MonotonicTime state_since_;
  base::MonotonicTime input_since_;  // of the last byte of a body
  base::TimerId timer_ = 0;
  base::MonotonicTime timer_due_;

  // The current request.
  HeadScanner scanner_;
  std::unique_ptr<RequestHead> request_;  // its headers and body move on with the request
  std::unique_ptr<BodyDecoder> decoder_;
  std::string body_;
  std::size_t body_reserved_ = 0;
  bool is_head_request_ = false;
  bool chunks_stream_ = false;
  std::uint64_t streamed_bytes_ = 0;
  bool request_keep_alive_ = true;
  int minor_version_ = 1;
  Headers upgrade_headers_;  // kept only while an upgrade is asked for
  std::string upgrade_method_;
  base::CancelSource cancel_;
  std::unique_ptr<base::Notifier> sent_;
  std::shared_ptr<UpgradedSession> upgraded_;
  std::unique_ptr<Http2Server> http2_;
};

}  // namespace skiff::http
