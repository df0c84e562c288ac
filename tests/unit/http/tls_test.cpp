#include <skiff/base/strings.h>
#include <skiff/http/tls.h>

#include "unit/http/test_server.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::http_test;

namespace {

FunctionHandler who_handler() {
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    co_return text_response(base::concat("cn=", request.peer.certificate_common_name, " o=",
                                         base::join(request.peer.certificate_organizations, "|"),
                                         " fp=", request.peer.certificate_fingerprint.size(), " ",
                                         request.body.size(), " ", request.peer.certificate_error));
  };
  return handler;
}

std::shared_ptr<http::TlsContext> server_context(TestCa& ca, TestCa& client_ca,
                                                 http::VerificationTime now = {}) {
  auto identity = ca.issue("server", {});
  auto context = http::make_tls_server_context(
      {identity.certificate_pem, identity.key_pem, client_ca.pem, true, std::move(now)});
  INFO(context.status().to_string());
  REQUIRE(context);
  return *context;
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("TLS: a client certificate names the peer, one of another CA does not") {
  TestCa ca, other;
  auto handler = who_handler();
  TestServer server(handler, {}, server_context(ca, ca));
  auto alice = ca.issue("alice", {"system:masters", "dev"});
  auto mallory = other.issue("alice", {"system:masters"});
  {
    TestClient client(server.port(), ca.pem, &alice);
    REQUIRE(client.connected());
    REQUIRE(client.send(kGet));
    CHECK(client.read_response().find("cn=alice o=system:masters|dev fp=64") != std::string::npos);
  }
  {
    TestClient client(server.port(), ca.pem, nullptr);
    REQUIRE(client.send(kGet));
    CHECK(client.read_response().find("cn= o= fp=0") != std::string::npos);
  }
  TestClient client(server.port(), ca.pem, &mallory);
  REQUIRE(client.send(kGet));
  auto answer = client.read_response();
  CHECK(answer.find("cn= o= fp=0") != std::string::npos);
  CHECK(answer.find("unable to get local issuer certificate") != std::string::npos);
}

TEST_CASE("TLS: a clock that is behind believes a client, one that is past its end does not") {
  TestCa ca, other;
  auto handler = who_handler();
  auto alice = ca.issue("alice", {"dev"});
  auto mallory = other.issue("alice", {"dev"});
  auto answer_at = [&](base::WallTime now, const Identity& identity) {
    TestServer server(handler, {}, server_context(ca, ca, [now] { return now; }));
    TestClient client(server.port(), ca.pem, &identity);
    REQUIRE(client.send(kGet));
    return client.read_response();
  };
  const auto past = base::WallTime::from_unix_seconds(60);
  const auto future = base::WallTime::from_unix_seconds(4'000'000'000);
  CHECK(answer_at(past, alice).find("cn=alice o=dev fp=64") != std::string::npos);
  auto forged = answer_at(past, mallory);
  CHECK(forged.find("cn= o= fp=0") != std::string::npos);
  CHECK(forged.find("unable to get local issuer certificate") != std::string::npos);
  auto expired = answer_at(future, alice);
  CHECK(expired.find("cn= o= fp=0") != std::string::npos);
  CHECK(expired.find("certificate has expired") != std::string::npos);
}

TEST_CASE("TLS: who came by an authority that is trusted no more is let go, streams and all") {
  TestCa old_ca, ca;
  FunctionHandler handler = who_handler();
  handler.on_inline = [](const http::Request& request) -> std::optional<http::Response> {
    if (request.target != "/stream") return std::nullopt;
    http::Response response;
    response.stream = [](http::BodyWriter& writer) -> base::Task<void> {
      std::vector<base::SharedBytes> first{base::SharedBytes(std::string_view("first"))};
      (void)co_await writer.write(std::move(first));
      base::OneShot<bool> over;
      base::CancelCallback on_cancel(writer.cancel(), [over] { over.set(true); });
      auto future = over.future();
      (void)co_await future;
    };
    return response;
  };
  auto context = server_context(ca, old_ca);
  REQUIRE(context->replace_trust(old_ca.pem + ca.pem).is_ok());
  TestServer server(handler, {}, context);
  auto thief = old_ca.issue("admin", {"system:masters"});
  auto admin = ca.issue("admin", {"system:masters"});
  const auto later = TestClient::kHandshakeLater;
  TestClient late_thief(server.port(), ca.pem, &thief, later);
  TestClient late(server.port(), ca.pem, &admin, later);
  TestClient asks(server.port(), ca.pem, &thief), watches(server.port(), ca.pem, &thief);
  TestClient stays(server.port(), ca.pem, &admin), nobody(server.port(), ca.pem, nullptr);
  for (auto* client : {&asks, &stays, &nobody}) {
    REQUIRE(client->send(kGet));
    CHECK(client->read_response().find("200 OK") != std::string::npos);
  }
  REQUIRE(watches.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(watches.read_until("first").find("200 OK") != std::string::npos);

  REQUIRE(context->replace_trust(ca.pem).is_ok());
  server.loop().post([&] { server.server().end_untrusted(); });
  CHECK(watches.read_until("0\r\n\r\n") == "\r\n");
  CHECK(asks.read_response().empty());
  for (auto* client : {&late_thief, &late}) client->handshake();
  (void)late_thief.send(kGet);
  CHECK(late_thief.read_response().empty());
  for (auto* client : {&stays, &nobody, &late}) {
    REQUIRE(client->send(kGet));
    CHECK(client->read_response().find("200 OK") != std::string::npos);
  }
}

TEST_CASE("TLS: large bodies pass in both directions") {
  TestCa ca;
  FunctionHandler handler;
  handler.on_request = [](http::Request request) -> base::Task<http::Response> {
    http::Response response;
    for (int i = 0; i < 3; ++i) response.body.emplace_back(request.body);
    co_return response;
  };
  TestServer server(handler, {}, server_context(ca, ca));
  TestClient client(server.port(), ca.pem, nullptr);
  std::string body(2'500'000, 'a');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  REQUIRE(client.send(
      base::concat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n")));
  REQUIRE(client.send(body));
  auto head = client.read_until("\r\n\r\n");
  CHECK(head.find("Content-Length: 7500000\r\n") != std::string::npos);
  CHECK(client.read_bytes(7'500'000) == body + body + body);
  REQUIRE(client.send(kGet));
  CHECK(client.read_response().find("200 OK") != std::string::npos);
}

TEST_CASE("TLS: a new identity is used by the next handshake") {
  TestCa first, second;
  auto handler = who_handler();
  auto context = server_context(first, first);
  TestServer server(handler, {}, context);
  CHECK(TestClient(server.port(), first.pem, nullptr).connected());
  auto identity = second.issue("server", {});
  CHECK(!context->replace_identity(identity.certificate_pem, "no key").is_ok());
  CHECK(TestClient(server.port(), first.pem, nullptr).connected());
  REQUIRE(context->replace_identity(identity.certificate_pem, identity.key_pem).is_ok());
  CHECK(!TestClient(server.port(), first.pem, nullptr).connected());
  CHECK(TestClient(server.port(), second.pem, nullptr).connected());
}

TEST_CASE("TLS: plain HTTP on the port gets a sentence, garbage is dropped") {
  TestCa ca;
  auto handler = who_handler();
  TestServer server(handler, {}, server_context(ca, ca));
  TestClient plain(server.port());
  REQUIRE(plain.send(kGet));
  CHECK(plain.read_to_end().find("Client sent an HTTP request to an HTTPS server.") !=
        std::string::npos);
  TestClient garbage(server.port());
  REQUIRE(garbage.send(std::string(300, '\x17')));
  garbage.read_to_end();
  TestClient good(server.port(), ca.pem, nullptr);
  CHECK(good.connected());
}

TEST_CASE("TLS: bad material is refused with a sentence") {
  TestCa ca;
  auto identity = ca.issue("server", {});
  auto other = ca.issue("other", {});
  auto mismatch = http::make_tls_server_context({identity.certificate_pem, other.key_pem, ca.pem});
  REQUIRE(!mismatch);
  CHECK(mismatch.status().message().find("does not match the certificate") != std::string::npos);
  CHECK(!http::make_tls_server_context({"junk", identity.key_pem, ca.pem}));
  CHECK(!http::make_tls_server_context({identity.certificate_pem, identity.key_pem, "junk"}));
}
