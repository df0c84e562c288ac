// HTTP clients: one on the loop for what streams or must not hold a thread, one that blocks for
// the work pool.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/result.h>
#include <skiff/http/message.h>
#include <skiff/http/tls.h>
#include <skiff/loop/loop.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skiff::http {

struct ClientRequest {
  std::string method = "GET";
  std::string host;  // name or address to connect to
  std::uint16_t port = 0;
  std::string host_header;  // empty: host:port
  std::string server_name;  // SNI and verification; empty: host
  std::string target = "/";
  Headers headers;
  std::string body;
  // When set, makes the body as soon as there is a connection; again for another one.
  std::function<std::string(const std::optional<ChannelBinding>& channel)> bound_body;
  std::shared_ptr<TlsContext> tls;                    // null = plain
  base::Duration timeout = std::chrono::seconds(30);  // until the head of the answer
  std::size_t body_bytes_max = 16u << 20;
  base::CancelToken cancel;
  // The caller ends what takes long by itself: its connection needs none of the settings of a
  // lasting one (probes, which make a connection each).
  bool is_brief = false;
};

// The head of an answer and the body as it arrives. Loop-only.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // The next piece; empty string at the end.
  virtual base::Task<base::Result<std::string>> read() = 0;
  // A raw two-way pipe after 101.
  virtual base::Task<base::Status> write(std::string bytes) = 0;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// Loop-only: call on the loop it was made for.
class AsyncClient {
 public:
  virtual ~AsyncClient() = default;
  virtual base::Task<base::Result<std::unique_ptr<ResponseStream>>> open(ClientRequest request) = 0;
  virtual base::Task<base::Result<ClientResponse>> send(ClientRequest request) = 0;
};
std::unique_ptr<AsyncClient> make_async_client(loop::Loop& loop);

// Blocks; for the work pool and the command line. Redirects are not followed.
struct BlockingRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://
  Headers headers;
  std::string body;
  std::string ca_pem;  // https: empty = the system's store
  std::string certificate_pem, key_pem;
  bool insecure = false;
  VerificationTime now;
  int timeout_ms = 30'000;  // of each read
  std::size_t body_bytes_max = 16u << 20;
  // When set, gets the body piece by piece of a 2xx answer and returns whether to go on.
  base::UniqueFunction<bool(std::string_view piece)> sink;
  // When set, sees the answer's head before its body and returns whether to go on.
  base::UniqueFunction<bool(int status, const Headers& headers)> on_head;
};
base::Result<ClientResponse> send_blocking(BlockingRequest request);

}  // namespace skiff::http
