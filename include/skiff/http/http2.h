// HTTP/2 (RFC 9113) as a client: one connection that its owner keeps, many streams on it. The
// server side is http::Server: it offers "h2" by ALPN, requests reach the same Handler.
//
// A session is an extended CONNECT (RFC 8441): the client names a protocol in ":protocol", the
// server's Handler sees method "CONNECT" and the header ":protocol", and answers with an Upgrade of
// Transport::http2. Both sides then have a ChannelSession whose frames travel in DATA as
//   length (4 bytes, of what follows) · kind (1) · channel (4) · data,   big endian
// with HTTP/2's flow control per stream: a slow session holds up no other.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/result.h>
#include <skiff/http/client.h>
#include <skiff/http/message.h>
#include <skiff/http/tls.h>
#include <skiff/loop/loop.h>

#include <cstdint>
#include <memory>
#include <string>

namespace skiff::http {

struct Http2ConnectOptions {
  std::string host;  // name or address to connect to
  std::uint16_t port = 0;
  std::string server_name;          // SNI and verification; empty: host
  std::shared_ptr<TlsContext> tls;  // null = plain, and the server is known to speak HTTP/2 (gRPC)
  base::Duration connect_timeout = std::chrono::seconds(10);
  // A PING when nothing was received for so long (zero: never), and how long its answer may take
  // before the connection counts as lost.
  base::Duration ping_interval = base::Duration::zero();
  base::Duration ping_timeout = std::chrono::seconds(10);
  base::CancelToken cancel;  // of the connecting
};

struct Http2Request {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  std::string body;
  base::Duration timeout = std::chrono::seconds(30);  // until the head of the answer
  std::size_t body_bytes_max = 16u << 20;             // of send()
  base::CancelToken cancel;
};

// What waits to be sent, to be compared with the bounds of this module.
struct Http2Backlog {
  std::size_t streams = 0;           // that are open
  std::size_t connection_bytes = 0;  // on their way to the socket
  std::size_t stream_bytes = 0;      // of the stream that has most, before the connection takes it
};

// Loop-only. Streams and sessions end when the connection does; they may outlive the object.
class Http2Connection {
 public:
  virtual ~Http2Connection() = default;
  // Trailers come after the head's fields in `headers`.
  virtual base::Task<base::Result<ClientResponse>> send(Http2Request request) = 0;
  virtual base::Task<base::Result<std::unique_ptr<ResponseStream>>> open(Http2Request request) = 0;
  // Errors: what the server answered instead of 2xx, as unavailable (5xx), permission_denied,
  // unauthenticated, not_found or invalid_argument with the body's text; unimplemented when it
  // takes no sessions.
  virtual base::Task<base::Result<std::unique_ptr<ChannelSession>>> open_session(
      std::string protocol, Http2Request request) = 0;
  // Cancelled when the connection has ended, for whatever reason.
  virtual base::CancelToken closed() const = 0;
  virtual void close() = 0;
  virtual Http2Backlog backlog() const = 0;
};

// Errors: unavailable (nobody there, or a certificate that is not trusted, with the reason),
// deadline_exceeded, unimplemented (the server speaks no HTTP/2).
base::Task<base::Result<std::unique_ptr<Http2Connection>>> connect_http2(
    loop::Loop& loop, Http2ConnectOptions options);

}  // namespace skiff::http
