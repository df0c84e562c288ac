// A server on a loop thread of its own and blocking clients for tests.
#pragma once

#include <skiff/base/async.h>
#include <skiff/http/server.h>
#include <skiff/loop/loop.h>
#include <skiff/loop/work_pool.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace skiff::http_test {

// Calls a function for every request.
class FunctionHandler final : public http::Handler {
 public:
  std::function<base::Task<http::Response>(http::Request)> on_request;
  std::function<std::optional<http::Response>(const http::Request&)> on_inline;
  base::Task<http::Response> handle(http::Request request) override {
    return on_request(std::move(request));
  }
  std::optional<http::Response> handle_inline(const http::Request& request) override {
    return on_inline ? on_inline(request) : std::nullopt;
  }
};

http::Response text_response(std::string_view text);
// Answers "METHOD target body" lines.
base::Task<http::Response> echo(http::Request request);

struct Identity {
  std::string certificate_pem, key_pem;
};
// A CA, and a certificate that it signed (subject like "CN=x,O=y,O=z"; valid for localhost).
struct TestCa {
  TestCa();
  Identity issue(const std::string& common_name, const std::vector<std::string>& organizations);
  std::string pem;

 private:
  std::shared_ptr<void> key_, certificate_;
};

class TestServer {
 public:
  explicit TestServer(http::Handler& handler, http::ServerOptions options = {},
                      std::shared_ptr<http::TlsContext> tls = nullptr, int loops = 1);
  ~TestServer();
  std::uint16_t port() const { return port_; }
  http::Server& server() { return *parts_.front().server; }
  loop::Loop& loop() { return *parts_.front().loop; }
  // Stops and joins; the destructor does the same.
  void stop(base::Duration grace = std::chrono::seconds(2));

 private:
  struct Part {
    std::unique_ptr<loop::Loop> loop;
    std::unique_ptr<http::Server> server;
    std::thread thread;
  };
  std::unique_ptr<loop::WorkPool> workers_;
  std::vector<Part> parts_;
  std::uint16_t port_ = 0;
};

// A blocking socket, plain or TLS; every wait ends after 5 s.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port, const std::string& address = "127.0.0.1");
  // TLS; `identity` may be null.
  TestClient(std::uint16_t port, const std::string& ca_pem, const Identity* identity);
  enum HandshakeLater { kHandshakeLater };
  TestClient(std::uint16_t port, const std::string& ca_pem, const Identity* identity,
             HandshakeLater);
  void handshake();
  ~TestClient();
  bool connected() const { return fd_ >= 0; }
  bool send(std::string_view bytes);
  // Reads until `marker` has been seen, `size` bytes are there, or the end.
  std::string read_until(std::string_view marker);
  std::string read_bytes(std::size_t size);
  std::string read_to_end();
  void shut_down_sending();
  // One whole response: head and body by its Content-Length or chunks (as received).
  std::string read_response();
  int fd() const { return fd_; }

 private:
  long receive(char* out, std::size_t size);
  int fd_ = -1;
  std::shared_ptr<void> context_, ssl_;
  std::string buffer_;
};

}  // namespace skiff::http_test
