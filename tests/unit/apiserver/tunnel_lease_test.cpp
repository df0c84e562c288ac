// The master's part of a node's session in virtual time: heartbeats and the lease.
#include "fixture.h"

#include <skiff/client/node_protocol.h>

#include "support/session_pair.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace std::chrono_literals;
using codec::Json;
using test::ApiFixture;
using test::MemorySession;

namespace {

const std::string kLeases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/";

// A node that the test plays, on one connection.
struct Connected {
  explicit Connected(ApiFixture& fixture, const std::string& address = "192.0.2.9:4711")
      : api(fixture), pair(MemorySession::make("skiff-node-v1")) {
    auto request = api.request("CONNECT", "/skiff/v1/node");
    request.headers.set(":protocol", "skiff-node-v1");
    request.headers.set("skiff-node-name", "n1");
    request.peer.certificate_common_name = "system:node:n1";
    request.peer.certificate_organizations = {"system:nodes"};
    request.peer.address = address;
    response = api.loop.run(api.server->handler().handle(std::move(request)));
    REQUIRE(response.upgrade != nullptr);
    base::spawn_detached(api.loop, response.upgrade->run(*pair.first));
    api.loop.run_ready();
  }
  ~Connected() {
    pair.second->lose();
    api.loop.run_ready();
  }
  void say(const client::ControlMessage& message) {
    auto frame = client::encode_control(message);
    REQUIRE(frame.is_ok());
    (void)api.loop.run(pair.second->write(std::move(*frame)));
    api.loop.run_ready();
  }
  client::ControlMessage hear() {
    auto frame = api.loop.run(pair.second->read());
    REQUIRE((frame.is_ok() && frame->has_value()));
    auto message = client::parse_control(**frame);
    REQUIRE(message.is_ok());
    return std::move(*message);
  }
  void greet() {
    say(client::Hello{"v1", {"streams"}});
    auto answer = hear();
    REQUIRE(std::holds_alternative<client::Hello>(answer));
    CHECK(std::get<client::Hello>(answer).has("lease"));
  }

  ApiFixture& api;
  MemorySession::Pair pair;
  http::Response response;
};

std::string renew_time(ApiFixture& api) {
  auto lease = api.call("GET", kLeases + "n1");
  if (lease.status != 200) return std::to_string(lease.status);
  const Json tree = lease.json();
  return std::string(tree["spec"]["renewTime"].as_string());
}
std::string now_text(ApiFixture& api) { return base::format_rfc3339_micro(api.loop.now()); }

void register_node(ApiFixture& api) {
  REQUIRE(api.call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status == 201);
}

}  // namespace

TEST_CASE("the lease of a connected node is made once it is registered, and renewed") {
  ApiFixture api;
  Connected node(api);
  node.greet();
  api.loop.advance(10s);
  CHECK(renew_time(api) == "404");
  register_node(api);
  api.loop.advance(3s);
  const Json lease = api.call("GET", kLeases + "n1").json();
  CHECK(lease["spec"]["holderIdentity"].as_string() == "n1");
  CHECK(lease["spec"]["leaseDurationSeconds"].as_int() == 40);
  REQUIRE(lease["metadata"]["ownerReferences"].size() == 1);
  CHECK(lease["metadata"]["ownerReferences"].items()[0]["kind"].as_string() == "Node");
  for (std::uint64_t beat = 1; beat <= 3; ++beat) {
    api.loop.advance(30s);
    node.say(client::Heartbeat{beat});
    CHECK(renew_time(api) == now_text(api));
    auto answer = node.hear();
    REQUIRE(std::holds_alternative<client::HeartbeatAnswer>(answer));
    CHECK(std::get<client::HeartbeatAnswer>(answer).sequence == beat);
  }
}

TEST_CASE("the lease is renewed at a connection, and is left alone when that is lost") {
  ApiFixture api;
  register_node(api);
  std::string last;
  {
    Connected node(api);
    CHECK(renew_time(api) == "404");  // before its hello it is not connected
    node.greet();
    api.loop.run_ready();
    last = now_text(api);
    CHECK(renew_time(api) == last);
  }
  api.loop.advance(100s);
  CHECK(renew_time(api) == last);
  Connected again(api);
  again.greet();
  api.loop.run_ready();
  CHECK(renew_time(api) == now_text(api));
}

TEST_CASE("a storm of heartbeats is answered, but does not renew with each") {
  ApiFixture api;
  register_node(api);
  Connected node(api);
  node.greet();
  api.loop.advance(10s);
  auto first = now_text(api);
  for (std::uint64_t beat = 1; beat <= 100; ++beat) {
    node.say(client::Heartbeat{beat});
    api.loop.advance(10ms);
    (void)node.hear();
  }
  CHECK(renew_time(api) == first);
  api.loop.advance(2s);
  CHECK(renew_time(api) > first);
}

TEST_CASE("a node that does not greet is let go; what is no message ends the session") {
  ApiFixture api;
  register_node(api);
  {
    Connected silent(api);
    api.loop.advance(10s);
    auto end = api.loop.run(silent.pair.second->read());
    CHECK((end.is_ok() && !end->has_value()));
  }
  Connected rude(api);
  rude.greet();
  http::ChannelFrame nonsense;
  nonsense.channel = 2;
  (void)api.loop.run(rude.pair.second->write(std::move(nonsense)));
  auto last = rude.hear();
  REQUIRE(std::holds_alternative<client::Goodbye>(last));
  CHECK(std::get<client::Goodbye>(last).why.code() == base::Code::invalid_argument);
}

TEST_CASE("a stream that the node never opens is given up in time, and the node is told") {
  ApiFixture api;
  Connected node(api);
  node.greet();
  auto started = api.loop.now();
  auto opened = api.loop.run(api.server->node_channel().open("n1", {}));
  CHECK(opened.status().to_string() ==
        "deadline_exceeded: node \"n1\" did not open the stream in time");
  CHECK(api.loop.now() - started == 30s);
  CHECK(std::holds_alternative<client::OpenStream>(node.hear()));
  CHECK(std::holds_alternative<client::CancelStream>(node.hear()));
}

TEST_CASE("logs of a pod on a node that is away answer 503 with its name") {
  ApiFixture api;
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/serviceaccounts",
                   R"({"metadata":{"name":"default"}})")
              .status == 201);
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/pods",
                   R"({"metadata":{"name":"p"},"spec":{"nodeName":"n1","containers":)"
                   R"([{"name":"a","image":"i"}]}})")
              .status == 201);
  auto answer = api.call("GET", "/api/v1/namespaces/default/pods/p/log");
  CHECK(answer.status == 503);
  CHECK(answer.message() == "node \"n1\" is not connected to this master");
}

TEST_CASE("nobody becomes a node's connection by acting as the node") {
  ApiFixture api;
  auto request = api.request("CONNECT", "/skiff/v1/node");
  request.headers.set(":protocol", "skiff-node-v1");
  request.headers.set("skiff-node-name", "n1");
  request.headers.set("Impersonate-User", "system:node:n1");
  request.headers.set("Impersonate-Group", "system:nodes");
  auto answer = api.send(std::move(request));
  CHECK(answer.status == 403);
  CHECK(answer.message().find("only a node may, by its own certificate") != std::string::npos);
  api.user = {};
  api.groups.clear();
  CHECK(api.call("CONNECT", "/skiff/v1/node").status == 403);
  CHECK(api.call("GET", "/skiff/v1/streams/00").status == 403);
}
