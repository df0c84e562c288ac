#include <skiff/http/client.h>

#include "agent/limits.h"
#include "agent/streams/local_channel.h"
#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {

class ScriptedAnswer final : public http::ResponseStream {
 public:
  ScriptedAnswer(int status, std::vector<std::string> pieces, bool breaks_off, std::string* written)
      : status_(status), pieces_(std::move(pieces)), breaks_off_(breaks_off), written_(written) {
    headers_.add("X-Pod", "yes");
  }
  int status() const override { return status_; }
  const http::Headers& headers() const override { return headers_; }
  base::Task<base::Result<std::string>> read() override {
    if (next_ < pieces_.size()) co_return pieces_[next_++];
    if (breaks_off_) co_return base::unavailable("connection reset");
    co_return std::string();
  }
  base::Task<base::Status> write(std::string bytes) override {
    *written_ += bytes;
    co_return base::Status();
  }

 private:
  int status_;
  std::vector<std::string> pieces_;
  http::Headers headers_;
  std::size_t next_ = 0;
  bool breaks_off_ = false;
  std::string* written_;
};

struct ScriptedHttp final : http::AsyncClient {
  std::vector<std::string> pieces = {"hello ", "world"};
  bool breaks_off = false;
  int status = 418;
  std::string written;
  base::Status error;
  std::optional<http::ClientRequest> last;
  base::Task<base::Result<std::unique_ptr<http::ResponseStream>>> open(
      http::ClientRequest request) override {
    last = std::move(request);
    if (!error.is_ok()) co_return error;
    std::unique_ptr<http::ResponseStream> answer =
        std::make_unique<ScriptedAnswer>(status, pieces, breaks_off, &written);
    co_return answer;
  }
  base::Task<base::Result<http::ClientResponse>> send(http::ClientRequest) override {
    co_return base::unavailable("not used");
  }
};

struct Outcome {
  base::Status opened;
  Json head;
  std::string body;
  bool whole = false;
};

base::Task<Outcome> exchange(LocalChannel* channel, client::NodeRequest request,
                             std::vector<client::NodeFrame> frames) {
  Outcome outcome;
  auto stream = co_await channel->open("node-1", std::move(request));
  if (!stream) {
    outcome.opened = stream.status();
    co_return outcome;
  }
  for (auto& frame : frames) {
    auto written = co_await (*stream)->write(frame);
    if (!written.is_ok()) break;
  }
  bool first = true;
  for (;;) {
    auto frame = co_await (*stream)->read();
    if (!frame || !frame->has_value()) break;
    if (first) {
      outcome.head = parse_or_fail((**frame).data);
    } else {
      outcome.body += (**frame).data;
    }
    first = false;
    outcome.whole = (**frame).end;
  }
  co_return outcome;
}

client::NodeRequest proxy_request(std::string_view options) {
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::proxy;
  request.namespace_name = "default";
  request.pod = "web";
  request.options = parse_or_fail(options);
  return request;
}

constexpr std::string_view kOptions =
    R"({"method":"PUT","path":"/a?b","port":8080,"scheme":"http",)"
    R"("headers":[["Host","api"],["X-A","1"],["Connection","keep-alive"]]})";

struct ProxyNode {
  explicit ProxyNode(std::string_view spec = R"({"containers":[{"name":"web","image":"app:1"}]})") {
    node.options.http = &client;
    channel.start();
    world.create(spec);
    world.loop.advance(1s);
    REQUIRE(world.phase() == "Running");
  }
  ~ProxyNode() { world.loop.run(channel.stop()); }
  Outcome run(std::string_view options, std::vector<client::NodeFrame> frames = {{0, "", true}}) {
    return world.loop.run(exchange(&channel, proxy_request(options), std::move(frames)));
  }
  World world;
  Node node{world};
  ScriptedHttp client;
  LocalChannel channel{node.context, node.pods};
};

}  // namespace

TEST_CASE("the node carries a proxied request to the pod's address and streams the answer") {
  ProxyNode node;
  auto outcome = node.run(kOptions, {{0, "bo", false}, {0, "dy", true}});
  REQUIRE(outcome.opened.is_ok());
  CHECK(outcome.head == parse_or_fail(R"({"status":418,"headers":[["X-Pod","yes"]]})"));
  CHECK(outcome.body == "hello world");
  CHECK(outcome.whole);
  REQUIRE(node.client.last.has_value());
  CHECK(node.client.last->host == "10.42.0.2");
  CHECK(node.client.last->port == 8080);
  CHECK(node.client.last->method == "PUT");
  CHECK(node.client.last->target == "/a?b");
  CHECK(node.client.last->host_header == "api");
  CHECK(node.client.last->headers.get("X-A") == "1");
  CHECK(node.client.last->headers.get_all("Connection").size() == 1);
  CHECK(node.client.last->headers.get("Connection") == "close");
  CHECK(node.client.last->body == "body");
  CHECK(node.client.last->tls == nullptr);
}

TEST_CASE("a pod on the host's network is proxied at the node's address, https without a check") {
  ProxyNode node(R"({"hostNetwork":true,"containers":[{"name":"web","image":"app:1"}]})");
  auto outcome =
      node.run(R"({"method":"GET","path":"/","port":8443,"scheme":"https","headers":[]})");
  CHECK(outcome.whole);
  REQUIRE(node.client.last.has_value());
  CHECK(node.client.last->host == "192.0.2.1");
  CHECK(node.client.last->tls != nullptr);
}

TEST_CASE("the node tells why a pod gave no answer, and an answer that breaks off has no end") {
  ProxyNode node;
  SECTION("no connection") {
    node.client.error = base::unavailable("10.42.0.2:8080: connection refused");
    auto outcome = node.run(kOptions);
    CHECK(std::as_const(outcome.head)["error"].as_string() == "10.42.0.2:8080: connection refused");
    CHECK(outcome.whole);
  }
  SECTION("a body that breaks off") {
    node.client.breaks_off = true;
    auto outcome = node.run(kOptions);
    CHECK(outcome.body == "hello world");
    CHECK_FALSE(outcome.whole);
  }
  SECTION("a request's body over the limit") {
    std::vector<client::NodeFrame> frames;
    for (int i = 0; i < 5; ++i) frames.push_back({0, std::string(1 << 20, 'x'), false});
    auto outcome = node.run(kOptions, std::move(frames));
    CHECK_FALSE(std::as_const(outcome.head)["error"].as_string().empty());
    CHECK_FALSE(node.client.last.has_value());
  }
  SECTION("a port that is none") {
    CHECK(node.run(R"({"method":"GET","path":"/","port":0,"headers":[]})").opened.code() ==
          base::Code::invalid_argument);
    CHECK(node.run(R"({"method":"GET","path":"/","port":65536,"headers":[]})").opened.code() ==
          base::Code::invalid_argument);
  }
  SECTION("a pod that is not here") {
    node.world.remove();
    node.world.loop.advance(40s);
    CHECK(node.run(kOptions).opened.code() == base::Code::not_found);
  }
}

TEST_CASE("a pod that takes an upgrade gets what the client sends, as bytes") {
  ProxyNode node;
  node.client.status = 101;
  const std::string options =
      R"({"method":"GET","path":"/ws","port":8080,"scheme":"http","headers":[["Upgrade","chat"]]})";
  auto outcome = node.run(options, {{0, "", true}, {0, "one ", false}, {0, "two", false}});
  CHECK(outcome.head == parse_or_fail(R"({"status":101,"headers":[["X-Pod","yes"]]})"));
  CHECK(outcome.body == "hello world");
  CHECK(outcome.whole);
  CHECK(node.client.written == "one two");
  REQUIRE(node.client.last.has_value());
  CHECK(node.client.last->headers.get("Connection") == "Upgrade");
  CHECK(node.client.last->headers.get("Upgrade") == "chat");
  CHECK(node.client.last->body.empty());
}
