// Frames of HTTP/2 (RFC 9113) of one connection, by nghttp2, without a socket: bytes in, bytes out.
// Both sides share it.
#pragma once

#include <skiff/base/lean_queue.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/base/status.h>
#include <skiff/http/message.h>

#include "http/http2/frame_memory.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skiff::http {

// RFC 9113, section 7.
enum class Http2Error : std::uint32_t {
  none = 0x0,
  internal = 0x2,
  refused_stream = 0x7,
  cancel = 0x8,
  enhance_your_calm = 0xb,
};

// What a stream still has to send. Loop-only.
class Http2Outbox {
 public:
  void push(base::SharedBytes bytes);
  // Nothing more follows.
  void end() { ended_ = true; }
  std::size_t bytes() const { return bytes_; }
  bool is_ended() const { return ended_; }
  // Copies up to `size` bytes out.
  std::size_t take(std::uint8_t* out, std::size_t size);
  void clear();

 private:
  base::LeanQueue<base::SharedBytes> queue_;
  std::size_t offset_ = 0;  // of the first entry
  std::size_t bytes_ = 0;
  bool ended_ = false;
};

// What the engine tells a stream. Calls come from within receive() and take_output(): they may
// submit, reset and queue, but not destroy the engine.
class Http2Stream {
 public:
  virtual ~Http2Stream() = default;
  // Names are lower case; pseudo-headers begin with ':'. Returns false to refuse the stream.
  virtual bool on_header(std::string_view name, std::string_view value) = 0;
  // The block is complete: a request, or an answer (or trailers, which come after it).
  virtual void on_headers_end() = 0;
  // Counts against the peer's window until consume().
  virtual void on_data(std::string_view data) = 0;
  virtual void on_end_of_input() = 0;
  // The outbox has shrunk.
  virtual void on_sent() = 0;
  // Both directions are over; `error` is none when that is in order. The last call.
  virtual void on_closed(Http2Error error) = 0;

  std::int32_t id = 0;
  Http2Outbox outbox;
};

class Http2Owner {
 public:
  virtual ~Http2Owner() = default;
  // A peer opens a stream; null refuses it. Servers only.
  virtual std::shared_ptr<Http2Stream> on_stream(std::int32_t id) = 0;
  virtual void on_ping_answer() = 0;
  // The peer takes no new streams.
  virtual void on_go_away() = 0;
};

struct Http2Settings {
  std::uint32_t streams_max = 0;  // that the peer may open
  std::uint32_t stream_window_bytes = 0;
  std::uint32_t connection_window_bytes = 0;
  std::uint32_t header_list_bytes_max = 0;
  bool takes_extended_connect = false;  // RFC 8441
};

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// Loop-only.
class Http2Engine {
 public:
  enum class Side : unsigned char { client, server };
  Http2Engine(Side side, const Http2Settings& settings, Http2Owner& owner);
  ~Http2Engine();
  Http2Engine(const Http2Engine&) = delete;
  Http2Engine& operator=(const Http2Engine&) = delete;

  // An error ends the connection, after what take_output() still has.
  base::Status receive(std::string_view bytes);
  // The next bytes to send; empty when there are none now.
  base::SharedBytes take_output();

  // Names in lower case. With `has_body` the stream's outbox follows until its end.
  base::Status submit_request(std::shared_ptr<Http2Stream> stream, const HeaderFields& fields,
                              bool has_body);
  void submit_response(Http2Stream& stream, const HeaderFields& fields, bool has_body);
  // The outbox has something new, or its end.
  void resume(const Http2Stream& stream);
  // The reader has taken bytes of on_data().
  void consume(const Http2Stream& stream, std::size_t bytes);
  void reset(const Http2Stream& stream, Http2Error error);
  void ping();
  void go_away();
  // The connection is gone: streams are not told, but let go.
  void forget_streams() { streams_.clear(); }

  std::size_t stream_count() const { return streams_.size(); }
  const std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>>& streams() const {
    return streams_;
  }
  // The peer has allowed extended CONNECT.
  bool peer_takes_extended_connect() const;
  bool has_peer_settings() const { return has_peer_settings_; }
  // Nothing is left to be read or sent.
  bool is_over() const;

 private:
  struct Callbacks;
  friend struct Callbacks;
  base::SharedBytes make_output();

  Http2Owner& owner_;
  const Side side_;
  const Http2Settings settings_;
  FrameMemory memory_;
  nghttp2_session* session_ = nullptr;
  base::SharedBytes preface_;  // of a client, until it is taken
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>> streams_;
  std::unordered_map<std::int32_t, std::size_t> header_bytes_;  // of blocks that are arriving
  bool has_peer_settings_ = false;
};

}  // namespace skiff::http
