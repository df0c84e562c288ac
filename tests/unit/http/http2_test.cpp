#include <skiff/base/strings.h>
#include <skiff/http/http2.h>

#include "http/limits.h"
#include "unit/http/test_server.h"

#include <catch2/catch.hpp>

#include <atomic>

using namespace skiff;
using namespace skiff::http_test;

namespace {

constexpr auto kLong = std::chrono::seconds(10);

// A TLS server that speaks HTTP/2, and what a client needs for it.
struct Setup {
  explicit Setup(http::Handler& handler, bool offers_http2 = true,
                 http::ServerOptions options = {}) {
    auto identity = ca.issue("server", {});
    http::TlsServerOptions tls{
        identity.certificate_pem, identity.key_pem, ca.pem, offers_http2, {}};
    auto context = http::make_tls_server_context(tls);
    REQUIRE(context);
    server = std::make_unique<TestServer>(handler, options, *context);
    auto own = ca.issue("system:node:n1", {"system:nodes"});
    auto made =
        http::make_tls_client_context({ca.pem, own.certificate_pem, own.key_pem, false, {}});
    REQUIRE(made);
    client_tls = *made;
  }
  http::Http2ConnectOptions target() const {
    http::Http2ConnectOptions options;
    options.host = "127.0.0.1";
    options.port = server->port();
    options.server_name = "localhost";
    options.tls = client_tls;
    return options;
  }

  TestCa ca;
  std::unique_ptr<TestServer> server;
  std::shared_ptr<http::TlsContext> client_tls;
};

using Body = std::function<base::Task<void>(loop::Loop&, http::Http2Connection&)>;

base::Task<void> connected(loop::Loop* loop, http::Http2ConnectOptions options, Body body,
                           base::Status* status) {
  auto connecting = http::connect_http2(*loop, std::move(options));
  auto connection = co_await connecting;
  *status = connection.status();
  if (connection) {
    auto running = body(*loop, **connection);
    co_await running;
  }
  loop->stop();
}

// Runs `body` with a connection on a loop of its own; returns how the connecting ended.
base::Status with_connection(http::Http2ConnectOptions options, Body body) {
  auto loop = loop::make_loop("client");
  REQUIRE(loop);
  base::Status status;
  base::spawn_detached(**loop,
                       connected(loop->get(), std::move(options), std::move(body), &status));
  (*loop)->run();
  return status;
}

http::Http2Request to(std::string target, std::string method = "GET", std::string body = {}) {
  http::Http2Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  request.timeout = kLong;
  return request;
}

base::Task<void> send_and_keep(http::Http2Connection* connection, http::Http2Request request,
                               std::vector<http::ClientResponse>* out) {
  auto sending = connection->send(std::move(request));
  auto response = co_await sending;
  CHECK(response.status().to_string() == "ok");
  if (response) out->push_back(std::move(*response));
}

// Writes pieces of 64 KB until the client is gone.
base::Task<void> endless(http::BodyWriter& writer) {
  for (;;) {
    std::vector<base::SharedBytes> piece;
    piece.emplace_back(std::string(64 * 1024, 'y'));
    auto writing = writer.write(std::move(piece));
    auto written = co_await writing;
    if (!written.is_ok()) co_return;
  }
}

// Sends every frame back; a frame "end" ends the session.
base::Task<void> echo_session(http::ChannelSession& session) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await reading;
    if (!frame || !*frame || (*frame)->data == "end") co_return;
    auto writing = session.write(std::move(**frame));
    auto written = co_await writing;
    if (!written.is_ok()) co_return;
  }
}

base::Task<http::Response> session_or_echo(http::Request request) {
  if (request.method == "CONNECT") {
    http::Response response;
    response.upgrade = std::make_unique<http::Upgrade>();
    response.upgrade->transport = http::Upgrade::Transport::http2;
    response.upgrade->protocols = {"echo-v1"};
    response.upgrade->run = [](http::ChannelSession& session) { return echo_session(session); };
    co_return response;
  }
  if (request.path() == "/endless") {
    http::Response response;
    response.stream = [](http::BodyWriter& writer) { return endless(writer); };
    co_return response;
  }
  if (request.path() == "/who") {
    std::string text = request.peer.certificate_common_name;
    for (const auto& group : request.peer.certificate_organizations) text += "," + group;
    co_return text_response(text);
  }
  if (request.path() == "/size") co_return text_response(std::to_string(request.body.size()));
  if (request.path() == "/big") co_return text_response(std::string(3'000'000, 'b'));
  auto answering = echo(std::move(request));
  auto answer = co_await answering;
  co_return answer;
}

http::ChannelFrame data_frame(std::uint32_t channel, std::string data) {
  http::ChannelFrame frame;
  frame.channel = channel;
  frame.data = std::move(data);
  return frame;
}

}  // namespace

TEST_CASE("h2: requests, bodies both ways, and who is at the other end") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        std::vector<http::ClientResponse> answers;
        for (auto& request : {to("/a?b=c"), to("/post", "POST", "body"), to("/who"), to("/big"),
                              to("/size", "POST", std::string(2'500'000, 'x'))}) {
          auto sending = send_and_keep(&connection, request, &answers);
          co_await sending;
        }
        REQUIRE(answers.size() == 5);
        CHECK(answers[0].body == "GET /a?b=c \n");
        CHECK(answers[0].headers.get("content-type") == "text/plain");
        CHECK(answers[1].body == "POST /post body\n");
        CHECK(answers[2].body == "system:node:n1,system:nodes");
        CHECK(answers[3].body.size() == 3'000'000);
        CHECK(answers[4].body == "2500000");
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: the end of a large answer is told, of a small one not") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  std::atomic<int> large = 0;
  http::ServerOptions options;
  options.large_answer_bytes = 3'000'000;
  options.on_large_answer = [&] { ++large; };
  Setup setup(handler, true, options);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        std::vector<http::ClientResponse> answers;
        for (auto& request : {to("/a"), to("/big"), to("/who"), to("/big")}) {
          auto sending = send_and_keep(&connection, request, &answers);
          co_await sending;
        }
        CHECK(answers.size() == 4);
      });
  CHECK(status.to_string() == "ok");
  CHECK(large == 2);
}

TEST_CASE("h2: a hundred requests at a time on one connection") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop& loop, http::Http2Connection& connection) -> base::Task<void> {
        std::vector<http::ClientResponse> answers;
        base::TaskScope scope(loop);
        for (int i = 0; i < 100; ++i)
          scope.spawn(send_and_keep(&connection, to(base::concat("/", i)), &answers));
        auto joining = scope.join();
        co_await joining;
        CHECK(answers.size() == 100);
      });
  CHECK(status.to_string() == "ok");
  CHECK(setup.server->server().counters().connections == 1);
}

TEST_CASE("h2: a body that nobody reads holds up no other request") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto opening = connection.open(to("/endless"));
        auto stalled = co_await opening;
        REQUIRE(stalled);
        std::vector<http::ClientResponse> answers;
        for (int i = 0; i < 20; ++i) {
          auto sending = send_and_keep(&connection, to("/big"), &answers);
          co_await sending;
        }
        CHECK(answers.size() == 20);
        std::size_t read = 0;
        while (read < 5'000'000) {
          auto reading = (*stalled)->read();
          auto piece = co_await reading;
          REQUIRE(piece);
          // What waited is one window at most.
          CHECK(piece->size() <= http::kHttp2StreamWindowBytes);
          read += piece->size();
        }
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: what is over a limit is refused, and the connection goes on") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto large = connection.send(to("/size", "POST", std::string(3'200'000, 'x')));
        auto refused = co_await large;
        REQUIRE(refused);
        CHECK(refused->status == 413);
        CHECK(refused->body.find("RequestEntityTooLarge") != std::string::npos);
        auto request = to("/");
        request.headers.add("x-large", std::string(100'000, 'h'));
        auto long_head = connection.send(std::move(request));
        auto reset = co_await long_head;
        CHECK_FALSE(reset.is_ok());
        auto path = connection.send(to("/" + std::string(40'000, 'p')));
        auto too_long = co_await path;
        REQUIRE(too_long);
        CHECK(too_long->status == 414);
        std::vector<http::ClientResponse> answers;
        auto sending = send_and_keep(&connection, to("/after"), &answers);
        co_await sending;
        CHECK(answers.size() == 1);
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: sessions carry frames both ways and end in order") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto opening = connection.open_session("echo-v1", to("/session"));
        auto session = co_await opening;
        REQUIRE(session);
        for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1'500'000}}) {
          auto frame = data_frame(7, std::string(size, 'f'));
          auto writing = (*session)->write(std::move(frame));
          auto written = co_await writing;
          CHECK(written.to_string() == "ok");
          auto reading = (*session)->read();
          auto back = co_await reading;
          REQUIRE(back);
          REQUIRE(back->has_value());
          CHECK((*back)->channel == 7);
          CHECK((*back)->data.size() == size);
        }
        auto large = data_frame(1, std::string(http::kFramedDataBytesMax + 1, 'f'));
        auto refusing = (*session)->write(std::move(large));
        auto refused = co_await refusing;
        CHECK(refused.code() == base::Code::too_large);
        http::ChannelFrame closing;
        closing.kind = http::ChannelFrame::Kind::close_channel;
        closing.channel = 3;
        auto writing = (*session)->write(std::move(closing));
        (void)co_await writing;
        auto reading = (*session)->read();
        auto echoed = co_await reading;
        REQUIRE(echoed);
        CHECK((*echoed)->kind == http::ChannelFrame::Kind::close_channel);
        CHECK((*echoed)->channel == 3);
        auto last = data_frame(0, "end");
        auto ending = (*session)->write(std::move(last));
        (void)co_await ending;
        auto after = (*session)->read();
        auto nothing = co_await after;
        CHECK((!nothing.is_ok() || !nothing->has_value()));
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: an unknown session is refused with what the server says") {
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    http::Response response = text_response("no such thing: " + request.target);
    response.status = 403;
    co_return response;
  };
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto opening = connection.open_session("other-v1", to("/x"));
        auto session = co_await opening;
        CHECK(session.code() == base::Code::permission_denied);
        CHECK(session.status().to_string().find("no such thing: /x") != std::string::npos);
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: a request whose client goes away is cancelled") {
  FunctionHandler handler;
  std::atomic<bool> cancelled = false;
  handler.on_request = [&cancelled](http::Request request) -> base::Task<http::Response> {
    base::OneShot<bool> gone;
    base::CancelCallback on_cancel(request.cancel, [gone] { gone.set(true); });
    auto future = gone.future();
    cancelled = co_await future;
    co_return text_response("late");
  };
  Setup setup(handler);
  auto status = with_connection(
      setup.target(), [](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto request = to("/");
        request.timeout = std::chrono::milliseconds(50);
        auto sending = connection.send(std::move(request));
        auto response = co_await sending;
        CHECK(response.code() == base::Code::deadline_exceeded);
      });
  CHECK(status.to_string() == "ok");
  setup.server->stop();
  CHECK(cancelled);
}

TEST_CASE("h2: a stop ends streams, and the client is told") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  auto* server = setup.server.get();
  auto status = with_connection(
      setup.target(), [server](loop::Loop&, http::Http2Connection& connection) -> base::Task<void> {
        auto opening = connection.open(to("/endless"));
        auto body = co_await opening;
        REQUIRE(body);
        server->stop();
        base::OneShot<bool> gone;
        base::CancelCallback on_closed(connection.closed(), [gone] { gone.set(true); });
        auto future = gone.future();
        CHECK(co_await future);
        auto sending = connection.send(to("/after"));
        auto after = co_await sending;
        CHECK(after.code() == base::Code::unavailable);
      });
  CHECK(status.to_string() == "ok");
}

TEST_CASE("h2: a server without it, an untrusted one, and nobody") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  auto nothing = [](loop::Loop&, http::Http2Connection&) -> base::Task<void> { co_return; };
  Setup old(handler, false);
  CHECK_FALSE(with_connection(old.target(), nothing).is_ok());
  Setup setup(handler);
  auto stranger = setup.target();
  TestCa other;
  stranger.tls = *http::make_tls_client_context({other.pem, {}, {}, false, {}});
  auto refused = with_connection(stranger, nothing);
  CHECK(refused.to_string().find("certificate") != std::string::npos);
  auto late = setup.target();
  late.tls = *http::make_tls_client_context(
      {setup.ca.pem, {}, {}, false, [] { return base::WallTime{4'000'000'000'000'000'000}; }});
  CHECK(with_connection(late, nothing).to_string().find("expired") != std::string::npos);
  auto nobody = setup.target();
  nobody.port = 1;
  CHECK(with_connection(nobody, nothing).code() == base::Code::unavailable);
}

TEST_CASE("h2: clients of HTTP/1.1 are served beside it") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  TestClient client(setup.server->port(), setup.ca.pem, nullptr);
  REQUIRE(client.connected());
  client.send("GET /old HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.read_response().find("GET /old") != std::string::npos);
}

TEST_CASE("h2: identity and trust are replaced while clients come and go") {
  FunctionHandler handler;
  handler.on_request = session_or_echo;
  Setup setup(handler);
  TestCa next;
  auto nothing = [](loop::Loop&, http::Http2Connection&) -> base::Task<void> { co_return; };
  CHECK_FALSE(setup.client_tls->replace_trust("no certificate").is_ok());
  REQUIRE(setup.client_tls->replace_trust(next.pem).is_ok());
  CHECK_FALSE(with_connection(setup.target(), nothing).is_ok());
  REQUIRE(setup.client_tls->replace_trust(next.pem + setup.ca.pem).is_ok());
  CHECK(with_connection(setup.target(), nothing).is_ok());
}
