// Server and clients over a network that the loop brings, on virtual time.
#include "support/sim_network.h"
#include "unit/http/test_server.h"

#include <skiff/base/strings.h>
#include <skiff/http/client.h>
#include <skiff/http/http2.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::http_test;
using namespace std::chrono_literals;
using Ends = test::SimNetwork::Ends;

namespace {

struct Machines {
  Machines() {
    handler.on_request = echo;
    network.set_latency(10ms, 20ms);
    auto identity = ca.issue("server", {});
    auto context = http::make_tls_server_context(
        {identity.certificate_pem, identity.key_pem, ca.pem, true, {}});
    REQUIRE(context);
    http::ServerOptions options;
    options.addresses = {"0.0.0.0"};
    options.port = 6443;
    auto made = http::make_server(server_host, loop, handler, *context, options);
    REQUIRE(made);
    server = std::move(*made);
    auto trust = http::make_tls_client_context({ca.pem, {}, {}, false, {}});
    REQUIRE(trust);
    tls = *trust;
  }
  std::unique_ptr<http::Http2Connection> connect() {
    http::Http2ConnectOptions options;
    options.host = "10.0.0.1";
    options.port = 6443;
    options.server_name = "localhost";
    options.tls = tls;
    options.ping_interval = 40s;
    options.ping_timeout = 10s;
    auto connected = loop.run(http::connect_http2(client_host, std::move(options)));
    REQUIRE(connected.status().to_string() == "ok");
    return std::move(*connected);
  }
  static http::Http2Request request() {
    http::Http2Request request;
    request.method = "POST";
    request.target = "/x";
    request.body = std::string(300'000, 'b');
    request.timeout = 5min;
    return request;
  }

  test::SimLoop loop;
  std::unique_ptr<base::Random> random = base::seeded_random(7);
  test::SimNetwork network{loop, *random};
  test::SimHost server_host{loop, network, "10.0.0.1"}, client_host{loop, network, "10.0.0.2"};
  FunctionHandler handler;
  TestCa ca;
  std::shared_ptr<http::TlsContext> tls;
  std::unique_ptr<http::Server> server;
};

}  // namespace

TEST_CASE("network: a loop's own network carries TLS, HTTP/1.1 and HTTP/2 in virtual time") {
  Machines m;
  auto connection = m.connect();
  const auto before = m.loop.monotonic();
  auto answer = m.loop.run(connection->send(Machines::request()));
  REQUIRE(answer.status().to_string() == "ok");
  CHECK(answer->body == "POST /x " + std::string(300'000, 'b') + "\n");
  CHECK(m.loop.monotonic() - before >= 20ms);
  CHECK(m.loop.monotonic() - before < 5s);

  auto client = http::make_async_client(m.client_host);
  http::ClientRequest request;
  request.host = "10.0.0.1";
  request.port = 6443;
  request.server_name = "localhost";
  request.tls = m.tls;
  auto plain = m.loop.run(client->send(std::move(request)));
  REQUIRE(plain.status().to_string() == "ok");
  CHECK(m.network.sockets_of("10.0.0.2") == 2);
  CHECK(m.network.bytes_in_flight_max() <= (128u << 10));
}

TEST_CASE("network: what is held up arrives later, or the ping gives the connection up") {
  Machines m;
  auto connection = m.connect();
  m.network.set_stalled("10.0.0.2", true, true);
  bool done = false;
  auto asking = [](http::Http2Connection* to, bool* flag) -> base::Task<void> {
    auto sending = to->send(Machines::request());
    auto answer = co_await sending;
    *flag = answer.is_ok();
  };
  base::spawn_detached(m.loop, asking(connection.get(), &done));
  m.loop.advance(30s);
  CHECK_FALSE(done);
  m.network.set_stalled("10.0.0.2", false, false);
  m.loop.advance(5s);
  CHECK(done);
  m.network.set_stalled("10.0.0.2", false, true);
  m.loop.advance(44s);
  CHECK_FALSE(connection->closed().is_cancelled());
  m.loop.advance(7s);
  CHECK(connection->closed().is_cancelled());
}

TEST_CASE("network: cut connections end at once, those that went silently by the ping") {
  Machines m;
  auto connection = m.connect();
  m.network.set_cut("10.0.0.2", true);
  m.loop.advance(1s);
  CHECK(connection->closed().is_cancelled());
  http::Http2ConnectOptions options;
  options.host = "10.0.0.1";
  options.port = 6443;
  options.tls = m.tls;
  CHECK(m.loop.run(http::connect_http2(m.client_host, options)).code() == base::Code::unavailable);
  m.network.set_cut("10.0.0.2", false);
  connection = m.connect();
  m.network.break_connections("10.0.0.1", Ends::host_only);
  m.loop.advance(30s);
  CHECK_FALSE(connection->closed().is_cancelled());
  m.loop.advance(30s);
  CHECK(connection->closed().is_cancelled());
  CHECK(m.network.sockets_of("10.0.0.1") == 0);
}
