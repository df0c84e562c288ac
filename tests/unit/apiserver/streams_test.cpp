#include <catch2/catch.hpp>
#include <deque>

#include "apiserver/streams/port_relay.h"
#include "apiserver/streams/relay.h"
#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;
using Kind = http::ChannelFrame::Kind;

namespace {

// A node's stream that plays frames and remembers what it got.
class ScriptedStream final : public client::NodeStream {
 public:
  explicit ScriptedStream(std::vector<client::NodeFrame> frames, bool stays_open = false)
      : queue_(64) {
    for (auto& frame : frames) (void)queue_.try_push(std::move(frame));
    if (!stays_open) queue_.close();
  }
  base::Task<base::Result<std::optional<client::NodeFrame>>> read() override {
    auto popping = queue_.pop({});
    auto frame = co_await std::move(popping);
    if (!frame && !broken.is_ok()) co_return broken;
    co_return frame;
  }
  base::Task<base::Status> write(client::NodeFrame frame) override {
    if (copy_to != nullptr) copy_to->push_back(frame);
    got.push_back(std::move(frame));
    if (end_on_input) queue_.close();
    co_return base::Status();
  }
  void close() override {
    closed = true;
    queue_.close();
  }
  std::vector<client::NodeFrame> got;
  std::vector<client::NodeFrame>* copy_to = nullptr;
  bool closed = false;
  bool end_on_input = false;
  base::Status broken;  // how it ends

 private:
  base::AsyncQueue<client::NodeFrame> queue_;
};

// Answers every request with one prepared stream or error.
class ScriptedChannel final : public client::NodeChannel {
 public:
  base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open(
      std::string node, client::NodeRequest request) override {
    last_node = std::move(node);
    last = std::move(request);
    if (!error.is_ok()) co_return error;
    auto scripted = std::make_unique<ScriptedStream>(frames);
    scripted->copy_to = &written;
    scripted->broken = broken;
    std::unique_ptr<client::NodeStream> stream = std::move(scripted);
    co_return stream;
  }
  std::vector<client::NodeFrame> written;  // by callers, to all streams
  base::Status error, broken;
  std::vector<client::NodeFrame> frames;
  std::string last_node;
  client::NodeRequest last;
};

class ScriptedSession final : public http::ChannelSession {
 public:
  ScriptedSession() : queue_(64) {}
  std::string_view protocol() const override { return "v5.channel.k8s.io"; }
  base::Task<base::Result<std::optional<http::ChannelFrame>>> read() override {
    auto popping = queue_.pop({});
    auto frame = co_await std::move(popping);
    co_return frame;
  }
  base::Task<base::Status> write(http::ChannelFrame frame) override {
    sent.push_back(std::move(frame));
    co_return base::Status();
  }
  void close() override { queue_.close(); }
  base::CancelToken cancel() const override { return {}; }
  void client_sends(Kind kind, std::uint32_t channel, std::string data,
                    http::Headers headers = {}) {
    http::ChannelFrame frame;
    frame.kind = kind;
    frame.channel = channel;
    frame.data = std::move(data);
    frame.headers = std::move(headers);
    REQUIRE(queue_.try_push(std::move(frame)));
  }
  std::vector<http::ChannelFrame> sent;

 private:
  base::AsyncQueue<http::ChannelFrame> queue_;
};

http::Headers stream_headers(const char* type, const char* port, const char* request) {
  http::Headers headers;
  headers.add("streamType", type);
  headers.add("port", port);
  headers.add("requestID", request);
  return headers;
}

void make_pod(ApiFixture& api, const std::string& containers, bool bound) {
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/serviceaccounts",
                   R"({"metadata":{"name":"default"}})")
              .status == 201);
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/pods",
                   R"({"metadata":{"name":"p"},"spec":{)" +
                       std::string(bound ? R"("nodeName":"n1",)" : "") + R"("containers":[)" +
                       containers + "]}}")
              .status == 201);
}

const std::string kOne = R"({"name":"a","image":"i"})";
const std::string kTwo = kOne + R"(,{"name":"b","image":"i"})";
const std::string kLog = "/api/v1/namespaces/default/pods/p/log";

}  // namespace

TEST_CASE("logs stream from the pod's node with the options as asked") {
  ScriptedChannel nodes;
  nodes.frames = {{1, "line 1\n", false}, {1, "line 2\n", true}};
  ApiFixture api(&nodes);
  make_pod(api, kOne, true);
  auto answer = api.call("GET", kLog + "?tailLines=2&timestamps=true");
  REQUIRE(answer.status == 200);
  test::CollectingWriter writer;
  api.loop.run(answer.stream(writer));
  CHECK(writer.text == "line 1\nline 2\n");
  CHECK(nodes.last_node == "n1");
  CHECK(nodes.last.container == "a");
  CHECK(std::as_const(nodes.last.options)["tailLines"].as_int() == 2);
  CHECK(std::as_const(nodes.last.options)["timestamps"].as_bool());
}

TEST_CASE("logs answer in upstream's sentences") {
  ScriptedChannel nodes;
  ApiFixture api(&nodes);
  CHECK(api.call("GET", kLog).status == 404);
  SECTION("several containers") {
    make_pod(api, kTwo, true);
    auto answer = api.call("GET", kLog);
    CHECK(answer.status == 400);
    CHECK(answer.message() == "a container name must be specified for pod p, choose one of: [a b]");
    CHECK(api.call("GET", kLog + "?container=x").message() == "container x is not valid for pod p");
    CHECK(api.call("GET", kLog + "?container=a&tailLines=-1").status == 422);
  }
  SECTION("the node's own sentence") {
    make_pod(api, kOne, true);
    nodes.error = base::invalid_argument(
        "container \"a\" in pod \"p\" is waiting to start: ContainerCreating");
    auto answer = api.call("GET", kLog);
    CHECK(answer.status == 400);
    CHECK(answer.message() ==
          "container \"a\" in pod \"p\" is waiting to start: ContainerCreating");
    nodes.error = base::unavailable("node n1 is away");
    CHECK(api.call("GET", kLog).status == 503);
  }
  SECTION("no node yet") {
    make_pod(api, kOne, false);
    CHECK(api.call("GET", kLog).status == 204);
  }
}

TEST_CASE("exec needs an upgrade, a command and a running pod") {
  ScriptedChannel nodes;
  ApiFixture api(&nodes);
  make_pod(api, kOne, true);
  const std::string exec = "/api/v1/namespaces/default/pods/p/exec";
  CHECK(api.call("POST", exec + "?command=ls").status == 400);
  CHECK(api.call("POST", exec + "?stdout=true").status == 422);
  auto plain = api.call("POST", exec + "?stdout=true&command=ls");
  CHECK(plain.status == 400);
  CHECK(plain.message() == "Upgrade request required");
  auto request = api.request("GET", exec + "?stdout=true&command=ls&command=-l");
  request.headers.set("Upgrade", "websocket");
  request.headers.set("Connection", "Upgrade");
  CHECK(api.send(std::move(request)).status == 101);
  CHECK(std::as_const(nodes.last.options)["command"].size() == 2);
}

TEST_CASE("exec relays both ways and ends with the node") {
  test::SimLoop loop;
  std::vector<client::NodeFrame> frames = {{1, "out", false}, {3, "{}", true}};
  auto node = std::make_shared<ScriptedStream>(frames, true);
  node->end_on_input = true;
  ScriptedSession session;
  session.client_sends(Kind::data, 0, "in");
  loop.run(apiserver::relay_channels(node, session));
  REQUIRE(node->got.size() == 1);
  CHECK(node->got[0].data == "in");
  REQUIRE(session.sent.size() == 3);
  CHECK(session.sent[0].data == "out");
  CHECK(session.sent[1].channel == 3);
  CHECK(session.sent[2].kind == Kind::close_channel);
  CHECK(node->closed);
}

TEST_CASE("a stream that breaks off is no success") {
  const auto lost = base::unavailable("the connection to node \"n1\" was lost");
  SECTION("exec") {
    test::SimLoop loop;
    std::vector<client::NodeFrame> frames = {{1, "half", false}};
    auto node = std::make_shared<ScriptedStream>(frames);
    node->broken = lost;
    ScriptedSession session;
    loop.run(apiserver::relay_channels(node, session));
    REQUIRE(session.sent.size() == 3);
    CHECK(session.sent[1].channel == 3);
    auto status = codec::parse_json(session.sent[1].data);
    REQUIRE(status.is_ok());
    CHECK(std::as_const(*status)["status"].as_string() == "Failure");
    CHECK(std::as_const(*status)["message"].as_string().find(lost.message()) != std::string::npos);
    CHECK(session.sent[2].kind == Kind::close_channel);
  }
  SECTION("logs") {
    ScriptedChannel nodes;
    nodes.frames = {{1, "half", false}};
    nodes.broken = lost;
    ApiFixture api(&nodes);
    make_pod(api, kOne, true);
    auto answer = api.call("GET", kLog + "?follow=true");
    REQUIRE(answer.status == 200);
    test::CollectingWriter writer;
    api.loop.run(answer.stream(writer));
    CHECK(writer.text == "half");
    CHECK(writer.aborted);
  }
}

TEST_CASE("each forwarded connection has a stream of its own") {
  test::SimLoop loop;
  std::vector<std::uint16_t> ports;
  apiserver::OpenPort open = [&](std::uint16_t port) {
    ports.push_back(port);
    return [](std::uint16_t p) -> base::Task<base::Result<std::unique_ptr<client::NodeStream>>> {
      if (p == 81) co_return base::unavailable("connection refused");
      std::vector<client::NodeFrame> frames = {{0, "hello", true}};
      std::unique_ptr<client::NodeStream> stream = std::make_unique<ScriptedStream>(frames);
      co_return stream;
    }(port);
  };
  ScriptedSession session;
  session.client_sends(Kind::open_channel, 1, {}, stream_headers("error", "80", "0"));
  session.client_sends(Kind::open_channel, 3, {}, stream_headers("data", "80", "0"));
  session.client_sends(Kind::open_channel, 5, {}, stream_headers("error", "81", "1"));
  session.client_sends(Kind::open_channel, 7, {}, stream_headers("data", "81", "1"));
  session.client_sends(Kind::open_channel, 9, {}, stream_headers("data", "x", "2"));
  session.close();
  loop.run(apiserver::relay_ports(open, session));
  CHECK(ports == std::vector<std::uint16_t>{80, 81});
  std::string data, error;
  bool reset = false;
  for (const auto& frame : session.sent) {
    if (frame.kind == Kind::data && frame.channel == 3) data += frame.data;
    if (frame.kind == Kind::data && frame.channel == 5) error += frame.data;
    if (frame.kind == Kind::reset_channel && frame.channel == 9) reset = true;
  }
  CHECK(data == "hello");
  CHECK(error == "error forwarding port 81: connection refused");
  CHECK(reset);
}

namespace {

const std::string kPods = "/api/v1/namespaces/default/pods/";
const std::string kServices = "/api/v1/namespaces/default/services/";
const std::string kHead =
    R"({"status":201,"headers":[["Content-Type","text/html"],["Location","/next?a=b"],)"
    R"(["Connection","X-Private"],["X-Private","1"],["Keep-Alive","5"],)"
    R"(["Access-Control-Allow-Origin","*"]]})";

void make_addressed_pod(ApiFixture& api) {
  make_pod(api, R"({"name":"a","image":"i","ports":[{"containerPort":8080}]})", true);
  REQUIRE(api.call("PATCH", kPods + "p/status",
                   R"({"status":{"podIP":"10.42.0.5","podIPs":[{"ip":"10.42.0.5"}]}})",
                   "application/merge-patch+json")
              .status == 200);
}

void make_service(ApiFixture& api, const std::string& subsets) {
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/services",
                   R"({"metadata":{"name":"web"},"spec":{"ports":[{"name":"http","port":80,)"
                   R"("targetPort":8081}]}})")
              .status == 201);
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/endpoints",
                   R"({"metadata":{"name":"web"},"subsets":)" + subsets + "}")
              .status == 201);
}

std::string header_of(const Json& options, std::string_view name) {
  for (const auto& field : options["headers"].items()) {
    if (field.items()[0].as_string() == name) return std::string(field.items()[1].as_string());
  }
  return {};
}

const std::string kEndpoint =
    R"([{"addresses":[{"ip":"10.42.0.5","targetRef":{"kind":"Pod","namespace":"default",)"
    R"("name":"p"}}],"ports":[{"name":"http","port":8081}]}])";

}  // namespace

TEST_CASE("a pod's proxy passes the request on and streams the answer") {
  ScriptedChannel nodes;
  nodes.frames = {{1, kHead, false}, {1, "hello ", false}, {1, "pod", true}};
  ApiFixture api(&nodes);
  make_addressed_pod(api);
  auto request = api.request("POST", kPods + "p:9000/proxy/a%2Fb/?x=1&y=%20", "the body");
  request.headers.set("Authorization", "Bearer secret");
  request.headers.set("Connection", "X-Hop");
  request.headers.set("X-Hop", "1");
  request.headers.set("X-Kept", "2");
  request.headers.set("Host", "api:6443");
  request.peer.address = "192.0.2.7:4711";
  request.body = std::string(200'000, 'x');
  auto answer = api.send(std::move(request));
  CHECK(answer.status == 201);
  CHECK(answer.headers.get("Content-Type") == "text/html");
  CHECK(answer.headers.get("Location") == kPods + "p:9000/proxy/next?a=b");
  for (const char* name : {"Connection", "X-Private", "Keep-Alive", "Access-Control-Allow-Origin"})
    CHECK_FALSE(answer.headers.has(name));
  test::CollectingWriter writer;
  api.loop.run(answer.stream(writer));
  CHECK(writer.text == "hello pod");
  CHECK_FALSE(writer.aborted);
  CHECK(nodes.last_node == "n1");
  CHECK(nodes.last.pod == "p");
  const Json options = nodes.last.options;
  CHECK(options["method"].as_string() == "POST");
  CHECK(options["path"].as_string() == "/a%2Fb/?x=1&y=%20");
  CHECK(options["port"].as_int() == 9000);
  CHECK(options["scheme"].as_string() == "http");
  CHECK(header_of(options, "Authorization").empty());
  CHECK(header_of(options, "X-Hop").empty());
  CHECK(header_of(options, "X-Kept") == "2");
  CHECK(header_of(options, "X-Forwarded-For") == "192.0.2.7");
  CHECK(header_of(options, "X-Forwarded-Host") == "api:6443");
  std::string body;
  for (const auto& frame : nodes.written) body += frame.data;
  CHECK(body == std::string(200'000, 'x'));
  REQUIRE(nodes.written.size() > 1);
  CHECK(nodes.written.back().end);
  CHECK_FALSE(nodes.written.front().end);
}

TEST_CASE("every method is proxied, with and without a path") {
  ScriptedChannel nodes;
  nodes.frames = {{1, R"({"status":200,"headers":[]})", true}};
  ApiFixture api(&nodes);
  make_addressed_pod(api);
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}) {
    INFO(method);
    CHECK(api.call(method, kPods + "https:p:/proxy/x").status == 200);
    CHECK(std::as_const(nodes.last.options)["method"].as_string() == method);
  }
  CHECK(std::as_const(nodes.last.options)["scheme"].as_string() == "https");
  CHECK(std::as_const(nodes.last.options)["port"].as_int() == 8080);  // its first port
  CHECK(api.call("POST", kPods + "p/proxy").status == 200);
  CHECK(std::as_const(nodes.last.options)["path"].as_string() == "/");
  auto answer = api.call("GET", kPods + "p/proxy?x=1");
  CHECK(answer.status == 301);
  CHECK(answer.headers.get("Location") == kPods + "p/proxy/?x=1");
}

TEST_CASE("a proxied answer that breaks off does not look whole") {
  ScriptedChannel nodes;
  nodes.frames = {{1, R"({"status":200,"headers":[]})", false}, {1, "half", false}};
  ApiFixture api(&nodes);
  make_addressed_pod(api);
  auto answer = api.call("GET", kPods + "p/proxy/");
  test::CollectingWriter writer;
  api.loop.run(answer.stream(writer));
  CHECK(writer.text == "half");
  CHECK(writer.aborted);
}

TEST_CASE("a proxy refuses what cannot be reached") {
  ScriptedChannel nodes;
  ApiFixture api(&nodes);
  auto absent = api.call("GET", kPods + "p/proxy/");
  CHECK(absent.status == 404);
  CHECK(absent.message() == "pods \"p\" not found");
  make_pod(api, kOne, true);
  CHECK(api.call("GET", kPods + "p/proxy/").message() == "address not allowed");
  for (const char* ip : {"127.0.0.1", "169.254.169.254"}) {
    REQUIRE(api.call("PATCH", kPods + "p/status",
                     R"({"status":{"podIP":")" + std::string(ip) + R"(","podIPs":[{"ip":")" + ip +
                         R"("}]}})",
                     "application/merge-patch+json")
                .status == 200);
    CHECK(api.call("GET", kPods + "p/proxy/").message() == "address not allowed");
  }
  REQUIRE(api.call("PATCH", kPods + "p/status",
                   R"({"status":{"podIP":"10.42.0.5","podIPs":[{"ip":"10.42.0.5"}]}})",
                   "application/merge-patch+json")
              .status == 200);
  CHECK(api.call("GET", kPods + "ftp:p:80/proxy/").message() == "invalid pod request \"ftp:p:80\"");
  CHECK(api.call("GET", kPods + "p:70000/proxy/").status == 503);
  CHECK(api.call("GET", kPods + "p%2Fproxy/proxy/").status == 400);
  SECTION("the pod's port") {
    nodes.frames = {{1, R"({"error":"10.42.0.5:80: connection refused"})", true}};
    auto answer = api.call("GET", kPods + "p/proxy/");
    CHECK(answer.status == 503);
    CHECK(answer.message() == "error trying to reach service: 10.42.0.5:80: connection refused");
  }
  SECTION("the node's stream") {
    CHECK(api.call("GET", kPods + "p/proxy/").status == 503);
    for (const char* head : {"[", R"({"status":101})", "{}"}) {
      nodes.frames = {{1, head, true}};
      CHECK(api.call("GET", kPods + "p/proxy/").status == 503);
    }
    // A node may lie in every shape.
    nodes.frames = {{1, R"({"status":200,"headers":[{"a":"b","c":"d"},"ef",[],["x"]]})", true}};
    CHECK(api.call("GET", kPods + "p/proxy/").status == 200);
    nodes.error = base::unavailable("node n1 is away");
    CHECK(api.call("GET", kPods + "p/proxy/").message() == "node n1 is away");
  }
}

TEST_CASE("a proxied connection may be upgraded; then bytes go both ways") {
  ScriptedChannel nodes;
  nodes.frames = {{1,
                   R"({"status":101,"headers":[["Connection","upgrade"],["Upgrade","websocket"],)"
                   R"(["Sec-WebSocket-Accept","x"]]})",
                   false},
                  {1, "from the pod", false},
                  {1, "", true}};
  ApiFixture api(&nodes);
  make_addressed_pod(api);
  auto request = api.request("GET", kPods + "p/proxy/ws");
  request.headers.set("Connection", "keep-alive, Upgrade");
  request.headers.set("Upgrade", "websocket");
  request.headers.set("Sec-WebSocket-Protocol",
                      "base64url.bearer.authorization.k8s.io.c2VjcmV0, chat, superchat");
  SECTION("as the pod takes it") {
    auto answer = api.send(std::move(request));
    CHECK(answer.status == 101);
    CHECK(answer.headers.get("Connection") == "Upgrade");
    CHECK(answer.headers.get("Upgrade") == "websocket");
    CHECK(answer.headers.get("Sec-WebSocket-Accept") == "x");
    const Json options = nodes.last.options;
    CHECK(header_of(options, "Upgrade") == "websocket");
    CHECK(header_of(options, "Sec-WebSocket-Protocol") == "chat, superchat");
    REQUIRE(answer.upgrade != nullptr);
    CHECK(answer.upgrade->transport == http::Upgrade::Transport::raw);
    nodes.written.clear();
    ScriptedSession session;
    session.client_sends(Kind::data, 0, "from the client");
    api.loop.run(answer.upgrade->run(session));
    REQUIRE(nodes.written.size() == 1);
    CHECK(nodes.written[0].data == "from the client");
    REQUIRE(!session.sent.empty());
    CHECK(session.sent[0].data == "from the pod");
  }
  SECTION("or the pod does not") {
    nodes.frames = {{1, R"({"status":426,"headers":[["Upgrade","other"]]})", true}};
    auto answer = api.send(std::move(request));
    CHECK(answer.status == 426);
    CHECK(answer.upgrade == nullptr);
    CHECK_FALSE(answer.headers.has("Upgrade"));
  }
}

TEST_CASE("links of a proxied page lead through the proxy, others' bytes are theirs") {
  for (std::string more : {"", R"(,["Content-Encoding","br"])"}) {
    ScriptedChannel nodes;
    nodes.frames = {
        {1, R"({"status":200,"headers":[["Content-Type","text/html; charset=utf-8"])" + more + "]}",
         false},
        {1, "<a hr", false},
        {1, "ef=\"/next\">", true}};
    ApiFixture api(&nodes);
    make_addressed_pod(api);
    auto answer = api.call("GET", kPods + "p:80/proxy/");
    test::CollectingWriter writer;
    api.loop.run(answer.stream(writer));
    CHECK(writer.text == (more.empty() ? "<a href=\"" + kPods + "p:80/proxy/next\">"
                                       : std::string("<a href=\"/next\">")));
  }
}

TEST_CASE("a service's proxy goes to a ready pod of the named or numbered port") {
  ScriptedChannel nodes;
  nodes.frames = {{1, R"({"status":200,"headers":[]})", true}};
  ApiFixture api(&nodes);
  CHECK(api.call("GET", kServices + "web:http/proxy/").status == 404);
  SECTION("an endpoint") {
    make_addressed_pod(api);
    make_service(api, kEndpoint);
    for (const char* name : {"web:http", "web:80", "https:web:http"}) {
      INFO(name);
      nodes.last = {};
      CHECK(api.call("GET", kServices + name + "/proxy/x").status == 200);
      CHECK(nodes.last.pod == "p");
      CHECK(std::as_const(nodes.last.options)["port"].as_int() == 8081);
    }
    CHECK(api.call("GET", kServices + "web:81/proxy/").message() ==
          "no service port 81 found for service \"web\"");
    CHECK(api.call("GET", kServices + "web:other/proxy/").message() ==
          "no endpoints available for service \"web:other\"");
  }
  SECTION("no endpoint") {
    make_service(api, "[]");
    auto answer = api.call("GET", kServices + "web:http/proxy/");
    CHECK(answer.status == 503);
    CHECK(answer.message() == "no endpoints available for service \"web\"");
  }
  SECTION("an address that is no pod's") {
    make_service(api, R"([{"addresses":[{"ip":"192.0.2.9"}],"ports":[{"name":"http","port":1}]}])");
    CHECK(api.call("GET", kServices + "web:http/proxy/").message() ==
          "no endpoints available for service \"web:http\"");
    CHECK(nodes.last_node.empty());
  }
  SECTION("an address that the pod has lost") {
    make_pod(api, kOne, true);
    make_service(api, kEndpoint);
    CHECK(api.call("GET", kServices + "web:http/proxy/").status == 503);
    CHECK(nodes.last_node.empty());
  }
}

TEST_CASE("a node's proxy asks the node itself") {
  ScriptedChannel nodes;
  nodes.frames = {{1, R"({"status":200,"headers":[["Content-Type","text/plain"]]})", false},
                  {1, "ok", true}};
  ApiFixture api(&nodes);
  const std::string path = "/api/v1/nodes/";
  auto absent = api.call("GET", path + "n1/proxy/healthz");
  CHECK(absent.status == 404);
  CHECK(absent.message() == "nodes \"n1\" not found");
  REQUIRE(api.call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status == 201);
  for (const std::string name : {"n1", "n1:10250", "https:n1:10250"}) {
    INFO(name);
    auto answer = api.call("GET", path + name + "/proxy/stats/summary?only_cpu_and_memory=true");
    CHECK(answer.status == 200);
    test::CollectingWriter writer;
    api.loop.run(answer.stream(writer));
    CHECK(writer.text == "ok");
    CHECK(nodes.last.kind == client::NodeRequest::Kind::node);
    CHECK(nodes.last_node == "n1");
    CHECK(nodes.last.pod.empty());
    const Json options = nodes.last.options;
    CHECK(options["path"].as_string() == "/stats/summary?only_cpu_and_memory=true");
  }
  CHECK(api.call("GET", path + "n1/proxy").headers.get("Location") == path + "n1/proxy/");
  auto other = api.call("GET", path + "n1:22/proxy/");
  CHECK(other.status == 400);
  CHECK(other.message() == "node n1 serves no port 22; leave it out, or use 10250");
  CHECK(api.call("GET", path + "ftp:n1:22/proxy/").message() ==
        "invalid node request \"ftp:n1:22\"");
}
