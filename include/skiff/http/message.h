// HTTP requests and responses, without a word about the wire version.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/base/shared_bytes.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::http {

// Names compare without case; order and repeats are kept. Thread-compatible.
class Headers {
 public:
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  // The first value; empty when absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<std::string_view> get_all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Decoded query parameters in order. Malformed escapes are an error, as in Go.
using Query = std::vector<std::pair<std::string, std::string>>;
base::Result<Query> parse_query(std::string_view raw);
base::Result<std::string> percent_decode(std::string_view text);
// Escapes everything but RFC 3986 unreserved characters.
std::string percent_encode(std::string_view text);

// Names one TLS connection to both of its ends and to nobody between them: the tls-exporter binding
// of RFC 9266. Only of TLS 1.3.
using ChannelBinding = std::array<unsigned char, 32>;

// Who is at the other end, as the transport proved it.
struct Peer {
  std::string address;  // "192.0.2.1:4711"; "loopback" for in-process calls
  // From a client certificate that the server's client CA signed; empty without one.
  std::string certificate_common_name;
  std::vector<std::string> certificate_organizations;
  std::string certificate_fingerprint;            // sha256, lower-case hex
  std::string certificate_key_sha256;             // of its public key, lower-case hex
  std::optional<base::WallTime> certificate_end;  // the connection may outlive it
  // Why the client certificate that was shown is not believed; then the members above are empty.
  std::string certificate_error;
  std::optional<ChannelBinding> channel_binding;
};

struct Request {
  std::string method;  // upper case
  std::string target;  // as sent: path and query
  Headers headers;
  std::string body;  // whole, already de-chunked, within the limit
  Peer peer;
  // Cancelled when the client goes away or the deadline passes.
  base::CancelToken cancel;

  std::string_view path() const;       // raw, before '?'
  std::string_view raw_query() const;  // after '?', empty without
};

// Writes a body piece by piece. Loop-only: used on the executor that runs the stream task.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // Returns when the pieces are in the connection's bounded queue. Errors: cancelled (client gone
  // or stopping), deadline_exceeded (a reader too slow).
  virtual base::Task<base::Status> write(std::vector<base::SharedBytes> pieces) = 0;
  virtual base::CancelToken cancel() const = 0;
  // The body breaks off: the connection ends without the end of the body, so that the client does
  // not take what it has for the whole.
  virtual void abort() = 0;
};

// A long-lived body: runs on the connection's loop until it returns; then the body ends.
using StreamTask = base::UniqueFunction<base::Task<void>(BodyWriter& writer)>;

// A message channel of an upgraded connection: WebSocket messages, or SPDY streams mapped to the
// same shape, so that exec, attach and port-forward are written once. Loop-only.
struct ChannelFrame {
  enum class Kind : unsigned char {
    data,           // bytes on a channel
    close_channel,  // the sender will send no more on it (v5 CLOSE, SPDY FIN)
    open_channel,   // SPDY port-forward: a new stream with `headers`
    reset_channel,
  };
  Kind kind = Kind::data;
  std::uint32_t channel = 0;
  std::string data;
  Headers headers;
};
class ChannelSession {
 public:
  virtual ~ChannelSession() = default;
  // The negotiated subprotocol: "v5.channel.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io", …
  virtual std::string_view protocol() const = 0;
  // nullopt when the peer has closed.
  virtual base::Task<base::Result<std::optional<ChannelFrame>>> read() = 0;
  virtual base::Task<base::Status> write(ChannelFrame frame) = 0;
  // Sends what is queued, then ends both directions: a pending read() returns nullopt. A session
  // whose task returned is closed, too.
  virtual void close() = 0;
  virtual base::CancelToken cancel() const = 0;
};
using SessionTask = base::UniqueFunction<base::Task<void>(ChannelSession& session)>;

// What the transport must do to turn the connection into a ChannelSession.
struct Upgrade {
  // http2: see http2.h. raw: the answer's own head, of status 101, and then bytes as they come, as
  // data of channel 0 (HTTP/1.1 alone).
  enum class Transport : unsigned char { websocket, spdy, http2, raw };
  Transport transport = Transport::websocket;
  std::vector<std::string> protocols;  // acceptable ones, best first
  // SPDY: the streams that the client will open, by their "streamType" header, and their channel
  // numbers ("error" -> 3, …): nothing is written before all are open. When empty (port-forward),
  // streams are reported as open_channel with their headers.
  std::vector<std::pair<std::string, std::uint32_t>> stream_types;
  // WebSocket tunnel of SPDY frames ("SPDY/3.1+portforward.k8s.io") is handled below this contract.
  SessionTask run;
};

struct Response {
  int status = 200;
  Headers headers;
  // The body: pieces that are sent one after the other (shared, never copied) …
  std::vector<base::SharedBytes> body;
  // … or a stream (chunked), or an upgrade. At most one of the three.
  StreamTask stream;
  std::unique_ptr<Upgrade> upgrade;
};

}  // namespace skiff::http
