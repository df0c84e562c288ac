#include <skiff/base/strings.h>

#include "unit/http/test_server.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

using namespace skiff;
using namespace skiff::http_test;

namespace {

std::string body_of(const std::string& response) {
  auto end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
std::string get(std::string_view target) {
  return base::concat("GET ", target, " HTTP/1.1\r\nHost: x\r\n\r\n");
}

FunctionHandler echo_handler() {
  FunctionHandler handler;
  handler.on_request = echo;
  return handler;
}

// A flag that a test waits for, at most 5 s.
class Flag {
 public:
  void set() {
    std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

}  // namespace

TEST_CASE("requests on one connection are answered in order, pipelined or not") {
  auto handler = echo_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(get("/a?x=1")));
  auto first = client.read_response();
  CHECK(has(first, "HTTP/1.1 200 OK\r\n"));
  CHECK(has(first, "Date: "));
  CHECK(body_of(first) == "GET /a?x=1 \n");
  REQUIRE(client.send(get("/1") + "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
                      get("/3")));
  CHECK(body_of(client.read_response()) == "GET /1 \n");
  CHECK(body_of(client.read_response()) == "POST /2 abc\n");
  CHECK(body_of(client.read_response()) == "GET /3 \n");
  CHECK(server.server().counters().requests == 4);
}

TEST_CASE("a chunked body with extensions and trailers arrives whole") {
  auto handler = echo_handler();
  TestServer server(handler);
  TestClient client(server.port());
  for (char c : std::string("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"))
    REQUIRE(client.send(std::string_view(&c, 1)));
  CHECK(body_of(client.read_response()) == "POST /c abcde\n");
  REQUIRE(client.send(get("/next")));
  CHECK(body_of(client.read_response()) == "GET /next \n");
}

TEST_CASE("HEAD, HTTP/1.0 and Connection: close are framed right") {
  auto handler = echo_handler();
  TestServer server(handler);
  {
    TestClient client(server.port());
    REQUIRE(client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"));
    auto head = client.read_until("\r\n\r\n");
    CHECK(has(head, "Content-Length: 9\r\n"));
    REQUIRE(client.send(get("/g")));
    CHECK(has(client.read_response(), "GET /g"));
  }
  {
    TestClient client(server.port());
    REQUIRE(client.send("GET /old HTTP/1.0\r\n\r\n"));
    auto all = client.read_to_end();
    CHECK(has(all, "Connection: close\r\n"));
    CHECK(body_of(all) == "GET /old \n");
  }
  {
    TestClient client(server.port());
    REQUIRE(client.send("GET /bye HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get("/no")));
    CHECK(body_of(client.read_to_end()) == "GET /bye \n");
  }
}

TEST_CASE("Expect: 100-continue is answered before the body") {
  auto handler = echo_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(
      "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("ok"));
  CHECK(body_of(client.read_response()) == "POST /e ok\n");
}

TEST_CASE("malformed requests are refused and the connection closed") {
  auto handler = echo_handler();
  TestServer server(handler);
  struct Case {
    std::string request;
    std::string status;
  };
  const std::vector<Case> cases = {
      {"GET / HTTP/1.1\nHost: x\n\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", "400"},
      {"GET  HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"G{T / HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET relative HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505"},
      {"GET / HTTQ/1.1\r\nHost: x\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n", "417"},
      {"GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", "414"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(80'000, 'a') + "\r\n\r\n", "431"},
      {std::string("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 34), "400"},
  };
  for (const auto& one : cases) {
    INFO(one.request.substr(0, 200));
    TestClient client(server.port());
    REQUIRE(client.send(one.request));
    auto answer = client.read_to_end();
    CHECK(has(answer, base::concat("HTTP/1.1 ", one.status, " ")));
    CHECK(has(answer, "Connection: close\r\n"));
  }
  CHECK(server.server().counters().rejected == cases.size());
  CHECK(server.server().counters().requests == 0);
}

TEST_CASE("a body over the limit gets 413 with a Status, declared or chunked") {
  auto handler = echo_handler();
  http::ServerOptions options;
  options.body_bytes_max = 100;
  TestServer server(handler, options);
  const std::string expected =
      R"("message":"Request entity too large: limit is 100","reason":"RequestEntityTooLarge","code":413)";
  {
    TestClient client(server.port());
    REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" +
                        std::string(101, 'a')));
    auto answer = client.read_to_end();
    CHECK(has(answer, "HTTP/1.1 413 Request Entity Too Large\r\n"));
    CHECK(has(answer, "Content-Type: application/json\r\n"));
    CHECK(has(answer, expected));
  }
  TestClient client(server.port());
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" +
                      std::string(64, 'a') + "\r\n40\r\n"));
  CHECK(has(client.read_to_end(), expected));
}

TEST_CASE("cheap requests are answered on the loop, the others on a worker") {
  FunctionHandler handler;
  handler.on_request = echo;
  handler.on_inline = [](const http::Request& request) -> std::optional<http::Response> {
    if (request.path() != "/fast") return std::nullopt;
    return text_response("inline");
  };
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(get("/fast") + get("/slow") + get("/fast")));
  CHECK(body_of(client.read_response()) == "inline");
  CHECK(body_of(client.read_response()) == "GET /slow \n");
  CHECK(body_of(client.read_response()) == "inline");
}

namespace {

base::Task<void> count_to(http::BodyWriter& writer, int count) {
  for (int i = 0; i < count; ++i) {
    std::vector<base::SharedBytes> pieces;
    pieces.emplace_back(base::concat(i, ";"));
    auto writing = writer.write(std::move(pieces));
    auto status = co_await writing;
    if (!status.is_ok()) co_return;
  }
}

base::Task<http::Response> stream_three(http::Request) {
  http::Response response;
  response.stream = [](http::BodyWriter& writer) { return count_to(writer, 3); };
  co_return response;
}

}  // namespace

TEST_CASE("a stream is chunked, and the connection goes on after it") {
  FunctionHandler handler;
  handler.on_request = stream_three;
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(get("/w")));
  auto answer = client.read_response();
  CHECK(has(answer, "Transfer-Encoding: chunked\r\n"));
  CHECK(body_of(answer) == "2\r\n0;\r\n2\r\n1;\r\n2\r\n2;\r\n0\r\n\r\n");
  REQUIRE(client.send("HEAD /w HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(has(client.read_until("\r\n\r\n"), "Transfer-Encoding: chunked\r\n"));
  REQUIRE(client.send("GET /w HTTP/1.0\r\n\r\n"));
  auto old = client.read_to_end();
  CHECK(body_of(old) == "0;1;2;");
  CHECK(!has(old, "chunked"));
}

TEST_CASE("the end of a large answer is told, of a small one not") {
  FunctionHandler handler;
  handler.on_request = [](http::Request request) {
    return request.path() == "/w" ? stream_three(std::move(request)) : echo(std::move(request));
  };
  std::atomic<int> large = 0;
  http::ServerOptions options;
  options.large_answer_bytes = 6;  // those of the stream
  options.on_large_answer = [&] { ++large; };
  TestServer server(handler, options);
  TestClient client(server.port());
  REQUIRE(client.send(get("/w")));
  (void)client.read_response();
  CHECK(large == 1);
  REQUIRE(client.send(get("/long")));
  (void)client.read_response();
  CHECK(large == 2);
  REQUIRE(client.send("HEAD /w HTTP/1.1\r\nHost: x\r\n\r\n"));
  (void)client.read_until("\r\n\r\n");
  options.large_answer_bytes = 7;
  TestServer other(handler, options);
  TestClient second(other.port());
  REQUIRE(second.send(get("/w")));
  (void)second.read_response();
  REQUIRE(second.send(get("/w")));
  (void)second.read_response();
  CHECK(large == 2);
}

namespace {

base::Task<void> break_off(http::BodyWriter& writer) {
  std::vector<base::SharedBytes> pieces;
  pieces.emplace_back(std::string_view("half"));
  auto writing = writer.write(std::move(pieces));
  (void)co_await writing;
  writer.abort();
}

}  // namespace

TEST_CASE("a stream that is aborted ends its connection without the last chunk") {
  FunctionHandler handler;
  handler.on_request = [](http::Request) -> base::Task<http::Response> {
    http::Response response;
    response.stream = [](http::BodyWriter& writer) { return break_off(writer); };
    co_return response;
  };
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(get("/w")));
  CHECK(body_of(client.read_to_end()) == "4\r\nhalf\r\n");
}

namespace {

struct StreamProbe {
  Flag started, ended;
  std::atomic<std::size_t> written = 0;
  base::Code code = base::Code::ok;
};

base::Task<void> write_until_refused(http::BodyWriter& writer, StreamProbe* probe) {
  base::SharedBytes block(std::string(64 * 1024, 'x'));
  probe->started.set();
  for (;;) {
    std::vector<base::SharedBytes> pieces(1, block);
    auto writing = writer.write(std::move(pieces));
    auto status = co_await writing;
    if (!status.is_ok()) {
      probe->code = status.code();
      break;
    }
    probe->written += block.size();
  }
  probe->ended.set();
}

}  // namespace

TEST_CASE("a stream waits for its reader and ends when the reader goes") {
  static StreamProbe probe;
  FunctionHandler handler;
  handler.on_request = [](http::Request) -> base::Task<http::Response> {
    http::Response response;
    response.stream = [](http::BodyWriter& writer) { return write_until_refused(writer, &probe); };
    co_return response;
  };
  TestServer server(handler);
  {
    TestClient client(server.port());
    REQUIRE(client.send(get("/w")));
    REQUIRE(probe.started.wait());
    CHECK(client.read_bytes(100'000).size() == 100'000);
    // What the kernel's buffers hold, and the bounded queue; not more.
    CHECK(probe.written < (32u << 20));
  }
  REQUIRE(probe.ended.wait());
  CHECK(probe.code == base::Code::cancelled);
}

TEST_CASE("a client that goes away cancels its request") {
  static Flag started, cancelled;
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    base::OneShot<bool> gone;
    base::CancelCallback on_cancel(request.cancel, [gone] { gone.set(true); });
    started.set();
    auto future = gone.future();
    (void)co_await future;
    cancelled.set();
    co_return text_response("nobody reads this");
  };
  TestServer server(handler);
  {
    TestClient client(server.port());
    REQUIRE(client.send(get("/hang")));
    REQUIRE(started.wait());
  }
  CHECK(cancelled.wait());
}

TEST_CASE("stop lets a running request finish and ends streams") {
  static Flag started, go_on;
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    if (request.path() == "/stream") {
      static StreamProbe probe;
      http::Response response;
      response.stream = [](http::BodyWriter& writer) {
        return write_until_refused(writer, &probe);
      };
      co_return response;
    }
    started.set();
    go_on.wait();
    co_return text_response("finished");
  };
  TestServer server(handler);
  TestClient streaming(server.port()), idle(server.port()), client(server.port());
  REQUIRE(streaming.send(get("/stream")));
  REQUIRE(has(streaming.read_until("\r\n\r\n"), "200"));
  REQUIRE(client.send(get("/slow")));
  REQUIRE(started.wait());
  std::thread stopper([&] { server.stop(std::chrono::seconds(5)); });
  CHECK(idle.read_to_end().empty());  // closed at once
  go_on.set();
  auto answer = client.read_to_end();
  CHECK(body_of(answer) == "finished");
  CHECK(has(answer, "Connection: close\r\n"));
  streaming.read_to_end();
  stopper.join();
  TestClient late(client.fd() >= 0 ? server.port() : 0);
  CHECK(!late.connected());
}

TEST_CASE("connections over the caps are closed") {
  auto handler = echo_handler();
  http::ServerOptions options;
  options.connections_per_client_max = 2;
  TestServer server(handler, options);
  TestClient first(server.port()), second(server.port());
  REQUIRE(first.send(get("/1")));
  CHECK(has(first.read_response(), "200"));
  REQUIRE(second.send(get("/2")));
  CHECK(has(second.read_response(), "200"));
  TestClient third(server.port());
  third.send(get("/3"));
  CHECK(third.read_to_end().empty());
  CHECK(server.server().counters().rejected == 1);
}

TEST_CASE("a port in use is reported with its holder") {
  auto handler = echo_handler();
  TestServer server(handler);
  auto loop = loop::make_loop("second");
  REQUIRE(loop);
  http::ServerOptions options;
  options.addresses = {"127.0.0.1"};
  options.port = server.port();
  auto second = http::make_server(**loop, **loop, handler, nullptr, options);
  REQUIRE(!second);
  CHECK(second.code() == base::Code::unavailable);
  std::string message(second.status().message());
  CHECK(has(message, "the port is in use by process "));
  options.addresses = {"not-an-address"};
  CHECK(http::make_server(**loop, **loop, handler, nullptr, options).code() ==
        base::Code::invalid_argument);
}

TEST_CASE("IPv6 clients are served and named") {
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    co_return text_response(request.peer.address);
  };
  http::ServerOptions options;
  options.addresses = {"127.0.0.1", "::1"};
  TestServer server(handler, options);
  TestClient v6(server.port(), "::1"), v4(server.port());
  REQUIRE(v6.connected());
  REQUIRE(v6.send(get("/")));
  CHECK(has(v6.read_response(), "[::1]:"));
  REQUIRE(v4.send(get("/")));
  CHECK(has(v4.read_response(), "\r\n\r\n127.0.0.1:"));
}

TEST_CASE("many clients at once on two loops get their own answers") {
  auto handler = echo_handler();
  TestServer server(handler, {}, nullptr, 2);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      TestClient client(server.port());
      for (int i = 0; i < 50; ++i) {
        auto target = base::concat("/", t, "/", i);
        if (!client.send(get(target))) return;
        if (body_of(client.read_response()) == base::concat("GET ", target, " \n")) ++right;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 400);
}
