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
    co_return frame;
  }
  base::Task<base::Status> write(client::NodeFrame frame) override {
    got.push_back(std::move(frame));
    if (end_on_input) queue_.close();
    co_return base::Status();
  }
  void close() override {
    closed = true;
    queue_.close();
  }
  std::vector<client::NodeFrame> got;
  bool closed = false;
  bool end_on_input = false;

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
    std::unique_ptr<client::NodeStream> stream = std::make_unique<ScriptedStream>(frames);
    co_return stream;
  }
  base::Status error;
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
