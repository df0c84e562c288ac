#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include "unit/http/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>

using namespace skiff;
using namespace skiff::http_test;

namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Runs a task on a loop of its own and returns its value.
template <class T>
T run_on_loop(std::function<base::Task<T>(loop::Loop&, http::AsyncClient&)> make) {
  auto loop = loop::make_loop("client");
  REQUIRE(loop);
  auto client = http::make_async_client(**loop);
  std::optional<T> result;
  auto collect = [](base::Task<T> task, std::optional<T>* out, loop::Loop* on) -> base::Task<void> {
    T value = co_await task;
    out->emplace(std::move(value));
    on->stop();
  };
  base::spawn_detached(**loop, collect(make(**loop, *client), &result, loop->get()));
  (*loop)->run();
  REQUIRE(result.has_value());
  return std::move(*result);
}

http::ClientRequest request_to(std::uint16_t port, std::string target = "/") {
  http::ClientRequest request;
  request.host = "127.0.0.1";
  request.port = port;
  request.target = std::move(target);
  request.timeout = std::chrono::seconds(5);
  return request;
}

base::Result<http::ClientResponse> send(http::ClientRequest request) {
  return run_on_loop<base::Result<http::ClientResponse>>(
      [&](loop::Loop&, http::AsyncClient& client) { return client.send(std::move(request)); });
}

// Answers every connection with fixed bytes, then closes it (or keeps it open).
class RawServer {
 public:
  explicit RawServer(std::string answer, bool close_after = true) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&where), size) == 0);
    REQUIRE(::listen(fd_, 16) == 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this, answer = std::move(answer), close_after] {
      std::vector<int> open;
      for (;;) {
        int peer = ::accept(fd_, nullptr, nullptr);
        if (peer < 0) break;
        ++connections;
        char bytes[4096];
        if (::recv(peer, bytes, sizeof bytes, 0) > 0 && !answer.empty())
          (void)::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (close_after) ::shutdown(peer, SHUT_WR);
        open.push_back(peer);
      }
      for (int peer : open) ::close(peer);
    });
  }
  ~RawServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::uint16_t port() const { return port_; }
  std::atomic<int> connections = 0;

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string url_of(std::uint16_t port, std::string_view target) {
  return base::concat("http://127.0.0.1:", static_cast<int>(port), target);
}

// The blocking client where it runs in production: on a small stack.
base::Result<http::ClientResponse> send_blocking_on_small_stack(http::BlockingRequest request) {
  struct Call {
    http::BlockingRequest request;
    std::optional<base::Result<http::ClientResponse>> result;
  } call{std::move(request), std::nullopt};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread;
  REQUIRE(pthread_create(
              &thread, &attributes,
              [](void* pointer) -> void* {
                auto* own = static_cast<Call*>(pointer);
                own->result.emplace(http::send_blocking(std::move(own->request)));
                return nullptr;
              },
              &call) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return std::move(*call.result);
}

}  // namespace

TEST_CASE("client: requests over one connection, plain") {
  FunctionHandler handler;
  handler.on_request = echo;
  TestServer server(handler);
  auto both = run_on_loop<std::string>([&](loop::Loop&,
                                           http::AsyncClient& client) -> base::Task<std::string> {
    struct Body {
      static base::Task<std::string> run(http::AsyncClient& used, http::ClientRequest first,
                                         http::ClientRequest second) {
        auto sending = used.send(std::move(first));
        auto a = co_await sending;
        auto again = used.send(std::move(second));
        auto b = co_await again;
        co_return (a ? a->body : a.status().to_string()) + (b ? b->body : b.status().to_string());
      }
    };
    auto first = request_to(server.port(), "/a");
    auto second = request_to(server.port(), "/b");
    second.method = "POST";
    second.body = "body";
    return Body::run(client, std::move(first), std::move(second));
  });
  CHECK(both == "GET /a \nPOST /b body\n");
  CHECK(server.server().counters().connections == 1);
}

TEST_CASE("client: TLS with verification, client certificate, and a wrong CA or name") {
  TestCa ca, other;
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    co_return text_response("hello " + request.peer.certificate_common_name);
  };
  auto identity = ca.issue("server", {});
  auto server_tls =
      http::make_tls_server_context({identity.certificate_pem, identity.key_pem, ca.pem});
  REQUIRE(server_tls);
  TestServer server(handler, {}, *server_tls);
  auto alice = ca.issue("alice", {});
  auto ask = [&](http::TlsClientOptions options, std::string server_name) {
    auto tls = http::make_tls_client_context(options);
    REQUIRE(tls);
    auto request = request_to(server.port());
    request.tls = *tls;
    request.server_name = std::move(server_name);
    return send(std::move(request));
  };
  auto good = ask({ca.pem, alice.certificate_pem, alice.key_pem}, "");
  REQUIRE(good);
  CHECK(good->body == "hello alice");
  CHECK(ask({ca.pem}, "localhost"));
  auto wrong_ca = ask({other.pem}, "");
  CHECK(wrong_ca.code() == base::Code::unavailable);
  CHECK(has(wrong_ca.status().message(), "tls: failed to verify certificate"));
  CHECK(!ask({ca.pem}, "elsewhere.example"));
  http::TlsClientOptions insecure;
  insecure.insecure = true;
  CHECK(ask(insecure, "elsewhere.example"));

  // A board in 1970 believes what its authority has signed, and nothing else.
  http::TlsClientOptions in_1970{ca.pem};
  in_1970.now = [] { return base::WallTime::from_unix_seconds(60); };
  CHECK(ask(in_1970, "localhost"));
  CHECK(!ask(in_1970, "elsewhere.example"));
  in_1970.ca_pem = other.pem;
  CHECK(!ask(in_1970, "localhost"));
  http::TlsClientOptions far_ahead{ca.pem};
  far_ahead.now = [] { return base::WallTime::from_unix_seconds(4'000'000'000); };
  CHECK(has(ask(far_ahead, "localhost").status().message(), "certificate has expired"));
}

TEST_CASE("client: both ends of a TLS connection know its binding, before the body is made") {
  TestCa ca;
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    const auto& binding = request.peer.channel_binding;
    co_return text_response(request.body + "|" +
                            (binding ? std::string(binding->begin(), binding->end()) : ""));
  };
  auto identity = ca.issue("server", {});
  auto server_tls =
      http::make_tls_server_context({identity.certificate_pem, identity.key_pem, ca.pem});
  REQUIRE(server_tls);
  TestServer server(handler, {}, *server_tls), plain(handler);
  auto ask = [&](std::uint16_t port, bool with_tls) {
    auto request = request_to(port);
    request.method = "POST";
    if (with_tls) {
      http::TlsClientOptions anybody;
      anybody.insecure = true;
      auto tls = http::make_tls_client_context(anybody);
      REQUIRE(tls);
      request.tls = *tls;
    }
    request.bound_body = [](const std::optional<http::ChannelBinding>& binding) {
      return binding ? std::string(binding->begin(), binding->end()) : std::string("none");
    };
    auto answer = send(std::move(request));
    REQUIRE(answer);
    return answer->body;
  };
  const auto first = ask(server.port(), true), second = ask(server.port(), true);
  REQUIRE(first.size() == 65);
  CHECK(first.substr(0, 32) == first.substr(33));
  CHECK(second.substr(0, 32) == second.substr(33));
  CHECK(first != second);
  CHECK(ask(plain.port(), false) == "none|");
}

TEST_CASE("client: streams arrive piece by piece and both directions of a raw pipe work") {
  RawServer server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw bytes");
  struct Body {
    static base::Task<std::string> run(http::AsyncClient& client, http::ClientRequest request) {
      auto opening = client.open(std::move(request));
      auto stream = co_await opening;
      if (!stream) co_return stream.status().to_string();
      std::string log = std::to_string((*stream)->status()) + ":";
      auto writing = (*stream)->write("more");
      auto written = co_await writing;
      log += written.is_ok() ? "ok:" : "failed:";
      for (;;) {
        auto reading = (*stream)->read();
        auto piece = co_await reading;
        if (!piece) co_return log + piece.status().to_string();
        if (piece->empty()) co_return log + "end";
        log += *piece;
      }
    }
  };
  auto log = run_on_loop<std::string>([&](loop::Loop&, http::AsyncClient& client) {
    auto request = request_to(server.port());
    request.headers.add("Connection", "Upgrade");
    return Body::run(client, std::move(request));
  });
  CHECK(log == "101:ok:raw bytesend");
}

TEST_CASE("client: what a server gets wrong is an error with a sentence") {
  auto ask = [](std::string answer) {
    RawServer server(std::move(answer));
    return send(request_to(server.port()));
  };
  CHECK(has(ask("").status().message(), "closed the connection without an answer"));
  CHECK(has(ask("garbage\r\n\r\n").status().message(), "malformed HTTP response"));
  CHECK(has(ask("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort").status().message(),
            "ended within the body"));
  CHECK(has(
      ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").status().message(),
      "ended within the body"));
  CHECK(has(ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status().message(),
            "malformed HTTP response body"));
  CHECK(!ask("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'a')));
  auto to_end = ask("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  REQUIRE(to_end);
  CHECK(to_end->body == "until the end");
  auto after_continue =
      ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  REQUIRE(after_continue);
  CHECK(after_continue->status == 404);
  CHECK(after_continue->body == "no");
}

TEST_CASE("client: limits, deadlines and refused connections") {
  {
    RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    auto request = request_to(server.port());
    request.body_bytes_max = 4;
    CHECK(send(std::move(request)).code() == base::Code::too_large);
  }
  std::uint16_t closed_port = 0;
  {
    RawServer silent("", false);
    closed_port = silent.port();
    auto request = request_to(silent.port());
    request.timeout = std::chrono::milliseconds(30);
    auto late = send(std::move(request));
    CHECK(late.code() == base::Code::deadline_exceeded);
    CHECK(has(late.status().message(), "no answer within 30 ms"));
    base::CancelSource cancel;
    auto cancelled = run_on_loop<base::Result<http::ClientResponse>>(
        [&](loop::Loop& loop, http::AsyncClient& client) {
          auto other = request_to(silent.port());
          other.cancel = cancel.token();
          loop.start_timer(std::chrono::milliseconds(10), [cancel] { cancel.cancel(); });
          return client.send(std::move(other));
        });
    CHECK(cancelled.code() == base::Code::cancelled);
  }
  auto refused = send(request_to(closed_port));
  CHECK(refused.code() == base::Code::unavailable);
  CHECK(has(refused.status().message(), "Connection refused"));
  auto bad = request_to(closed_port, "/a b");
  CHECK(send(std::move(bad)).code() == base::Code::invalid_argument);
  auto smuggle = request_to(closed_port);
  smuggle.headers.add("X", "a\r\nY: b");
  CHECK(send(std::move(smuggle)).code() == base::Code::invalid_argument);
}

TEST_CASE("client: an idle connection that the server closed is replaced") {
  // Says keep-alive and closes all the same.
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  struct Body {
    static base::Task<int> run(http::AsyncClient& client, std::uint16_t port) {
      int good = 0;
      for (int i = 0; i < 3; ++i) {
        auto sending = client.send(request_to(port));
        auto answer = co_await sending;
        if (answer && answer->body == "ok") ++good;
      }
      co_return good;
    }
  };
  auto good = run_on_loop<int>(
      [&](loop::Loop&, http::AsyncClient& client) { return Body::run(client, server.port()); });
  CHECK(good == 3);
  CHECK(server.connections == 3);
}

TEST_CASE("client: names are resolved") {
  FunctionHandler handler;
  handler.on_request = echo;
  TestServer server(handler);
  auto request = request_to(server.port(), "/named");
  request.host = "localhost";
  auto answer = send(std::move(request));
  INFO(answer.status().to_string());
  REQUIRE(answer);
  CHECK(answer->body == "GET /named \n");
}

TEST_CASE("blocking client: whole answers, ranges into a sink, redirects as they are") {
  {
    FunctionHandler handler;
    handler.on_request = [](http::Request request) -> base::Task<http::Response> {
      auto response = text_response(base::concat(request.target, " ", request.headers.get("Range"),
                                                 " ", request.headers.get("Host")));
      response.status = request.headers.has("Range") ? 206 : 200;
      co_return response;
    };
    TestServer server(handler);
    http::BlockingRequest request;
    request.url = url_of(server.port(), "/v2/?n=1#fragment");
    request.headers.add("Range", "bytes=5-");
    std::string received;
    request.sink = [&](std::string_view piece) {
      received += piece;
      return true;
    };
    auto answer = send_blocking_on_small_stack(std::move(request));
    REQUIRE(answer);
    CHECK(answer->status == 206);
    CHECK(answer->body.empty());
    CHECK(received ==
          base::concat("/v2/?n=1 bytes=5- 127.0.0.1:", static_cast<int>(server.port())));
  }
  RawServer redirect(
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x/y?sig=a%2Fb%2Bc\r\n"
      "Content-Length: 4\r\n\r\ngone");
  http::BlockingRequest request;
  request.url = url_of(redirect.port(), "/");
  bool sink_called = false;
  request.sink = [&](std::string_view) { return sink_called = true; };
  auto answer = send_blocking_on_small_stack(std::move(request));
  REQUIRE(answer);
  CHECK(answer->status == 307);
  CHECK(answer->headers.get("location") == "https://x/y?sig=a%2Fb%2Bc");
  CHECK(answer->body == "gone");
  CHECK(!sink_called);
}

TEST_CASE("blocking client: a hostile status line is an error, not an overflow of the stack") {
  RawServer hostile("HTTP/1.1 200 " + std::string(200'000, 'a') + "\r\n\r\n");
  http::BlockingRequest request;
  request.url = url_of(hostile.port(), "/");
  auto answer = send_blocking_on_small_stack(std::move(request));
  CHECK(answer.code() == base::Code::unavailable);
}

TEST_CASE("blocking client: bad URLs, a stopped sink, an answer over the limit, a stall") {
  auto code_of = [](http::BlockingRequest request) {
    return http::send_blocking(std::move(request)).code();
  };
  for (const char* url : {"ftp://x/", "http://", "http://user@x/", "http://x:0/", "http://[::1/",
                          "http://x:99999/", "x"}) {
    http::BlockingRequest request;
    request.url = url;
    INFO(url);
    CHECK(code_of(std::move(request)) == base::Code::invalid_argument);
  }
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(50, 'x'), false);
  http::BlockingRequest stopped;
  stopped.url = url_of(server.port(), "/");
  stopped.sink = [](std::string_view) { return false; };
  CHECK(code_of(std::move(stopped)) == base::Code::cancelled);
  http::BlockingRequest over;
  over.url = url_of(server.port(), "/");
  over.body_bytes_max = 10;
  CHECK(code_of(std::move(over)) == base::Code::too_large);
  http::BlockingRequest stalled;
  stalled.url = url_of(server.port(), "/");
  stalled.timeout_ms = 30;
  CHECK(code_of(std::move(stalled)) == base::Code::deadline_exceeded);
}
