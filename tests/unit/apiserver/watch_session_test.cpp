// The master's side of skiff-watch-v1, frame by frame, in virtual time.
#include "unit/apiserver/fixture.h"

#include <skiff/base/strings.h>
#include <skiff/client/byte_delta.h>
#include <skiff/client/watch_frames.h>

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <optional>

using namespace skiff;
using namespace skiff::test;
using namespace std::chrono_literals;
using client::WatchEvent;
using client::WatchFrame;
using codec::Json;

namespace {

// The session as the master has it; the test is the worker.
class FakeSession final : public http::ChannelSession {
 public:
  std::string_view protocol() const override { return client::kWatchProtocol; }
  base::Task<base::Result<std::optional<http::ChannelFrame>>> read() override {
    while (inbox_.empty() && !closed_) {
      auto waiting = changed_.wait({});
      (void)co_await waiting;
    }
    if (closed_) co_return std::optional<http::ChannelFrame>();
    std::optional<http::ChannelFrame> frame(std::move(inbox_.front()));
    inbox_.pop_front();
    co_return frame;
  }
  base::Task<base::Status> write(http::ChannelFrame frame) override {
    while (stuck && !closed_) {
      auto waiting = unstuck_.wait({});
      (void)co_await waiting;
    }
    if (closed_) co_return base::cancelled("closed");
    sent.push_back(std::move(frame));
    co_return base::Status::ok();
  }
  void close() override {
    closed_ = true;
    changed_.notify();
    unstuck_.notify();
  }
  base::CancelToken cancel() const override { return {}; }

  void say(std::uint32_t channel, std::string data) {
    http::ChannelFrame frame;
    frame.channel = channel;
    frame.data = std::move(data);
    inbox_.push_back(std::move(frame));
    changed_.notify();
  }
  bool is_closed() const { return closed_; }

  bool stuck = false;
  std::deque<http::ChannelFrame> sent;

 private:
  std::deque<http::ChannelFrame> inbox_;
  bool closed_ = false;
  base::Notifier changed_, unstuck_;
};

struct SessionCase : ApiFixture {
  SessionCase() { open("admin", {"system:masters"}); }
  explicit SessionCase(const std::string& user, std::vector<std::string> groups) {
    open(user, std::move(groups));
  }
  ~SessionCase() {
    session.close();
    loop.run_ready();
    CHECK(is_over);
  }
  void open(const std::string& name, std::vector<std::string> in_groups) {
    auto connect = request("CONNECT", std::string(client::kWatchTarget));
    connect.headers.set(":protocol", std::string(client::kWatchProtocol));
    connect.peer.certificate_common_name = name;
    connect.peer.certificate_organizations = std::move(in_groups);
    response = loop.run(server->handler().handle(std::move(connect)));
    REQUIRE(response.upgrade);
    base::spawn_detached(loop, run(&response, &session, &is_over));
    loop.run_ready();
  }
  static base::Task<void> run(http::Response* response, http::ChannelSession* session, bool* over) {
    auto running = response->upgrade->run(*session);
    co_await running;
    *over = true;
  }
  void subscribe(std::uint32_t id, std::string_view resource, bool deltas = false,
                 std::string_view fields = {}, std::string_view group = {},
                 std::string_view labels = {}) {
    client::SubscribeFrame frame;
    frame.revision = hub_->snapshot().revision();
    frame.takes_deltas = deltas;
    frame.group = group;
    frame.version = "v1";
    frame.resource = resource;
    frame.namespace_name = "default";
    frame.field_selector = fields;
    frame.label_selector = labels;
    session.say(id, client::encode_watch_frame(frame));
    loop.run_ready();
  }
  void write(std::string_view name, std::string_view value, bool create = false) {
    Json metadata = Json::object({{"name", name}});
    Json data = Json::object({{"key", value}, {"long", std::string(2000, 'x')}});
    Json object = Json::object({{"apiVersion", "v1"},
                                {"kind", "ConfigMap"},
                                {"metadata", std::move(metadata)},
                                {"data", std::move(data)}});
    std::string path = "/api/v1/namespaces/default/configmaps";
    if (!create) path += base::concat("/", name);
    auto answer = call(create ? "POST" : "PUT", path, codec::write_json(object));
    REQUIRE(answer.status < 300);
    loop.run_ready();
  }
  // The next frame as a line: what it is, and the object that the worker has then.
  std::string next() {
    if (session.sent.empty()) return "nothing";
    auto frame = std::move(session.sent.front());
    session.sent.pop_front();
    auto decoded = client::decode_watch_frame(frame.data);
    REQUIRE(decoded);
    return base::concat(frame.channel, " ", describe(*decoded));
  }
  std::string describe(const WatchFrame& frame) {
    if (std::holds_alternative<client::StartedFrame>(frame)) return "started";
    if (const auto* position = std::get_if<client::PositionFrame>(&frame))
      return base::concat("position ", position->revision);
    if (const auto* ended = std::get_if<client::EndedFrame>(&frame)) {
      auto status = codec::parse_json(ended->status);
      REQUIRE(status);
      return base::concat("ended ", std::as_const(*status)["code"].as_int());
    }
    if (const auto* event = std::get_if<client::EventFrame>(&frame))
      return base::concat("whole ",
                          keep(event->type, event->revision, base::SharedBytes(event->object)));
    const auto& delta = std::get<client::DeltaFrame>(frame);
    auto base = kept.at(std::string(delta.key)).stored();
    auto made = client::apply_delta(base.view(), delta.steps, delta.size, delta.checksum);
    REQUIRE(made.status().to_string() == "ok");
    CHECK(delta.steps.size() < 200);
    return base::concat("delta ", keep(delta.type, delta.revision, base::SharedBytes(*made)));
  }
  std::string keep(WatchEvent::Type type, std::uint64_t revision, base::SharedBytes bytes) {
    api::StoredObject object(std::move(bytes), revision);
    auto tree = object.parse();
    REQUIRE(tree);
    kept[base::concat(object.namespace_name(), "/", object.name())] = object;
    std::string_view mark = type == WatchEvent::Type::added      ? "+"
                            : type == WatchEvent::Type::modified ? "~"
                                                                 : "-";
    return base::concat(mark, object.name(), "=", std::as_const(*tree)["data"]["key"].as_string());
  }

  http::Response response;
  FakeSession session;
  bool is_over = false;
  std::map<std::string, api::StoredObject> kept;
};

}  // namespace

TEST_CASE("watch session: many watches on one stream, each with its own events") {
  SessionCase c;
  c.subscribe(1, "configmaps");
  c.subscribe(7, "configmaps", false, "metadata.name=b");
  c.subscribe(9, "pods");
  CHECK(c.next() == "1 started");
  CHECK(c.next() == "7 started");
  CHECK(c.next() == "9 started");
  c.write("a", "1", true);
  CHECK(c.next() == "1 whole +a=1");
  c.write("b", "2", true);
  CHECK(c.next() == "1 whole +b=2");
  CHECK(c.next() == "7 whole +b=2");
  c.session.say(1, client::encode_watch_frame(client::UnsubscribeFrame()));
  c.loop.run_ready();
  c.write("b", "3");
  CHECK(c.next() == "7 whole ~b=3");
  CHECK(c.next() == "nothing");
  // A number that is free again is another watch.
  c.subscribe(1, "configmaps");
  CHECK(c.next() == "1 started");
  c.write("c", "1", true);
  CHECK(c.next() == "1 whole +c=1");
}

TEST_CASE("watch session: what was sent whole once changes by differences") {
  SessionCase c;
  c.write("old", "1", true);
  c.subscribe(1, "configmaps", true);
  CHECK(c.next() == "1 started");
  c.write("old", "2");
  CHECK(c.next() == "1 whole ~old=2");
  c.write("old", "3");
  c.write("old", "4");
  CHECK(c.next() == "1 delta ~old=3");
  CHECK(c.next() == "1 delta ~old=4");
  c.write("new", "1", true);
  c.write("new", "2");
  CHECK(c.next() == "1 whole +new=1");
  CHECK(c.next() == "1 delta ~new=2");
  REQUIRE(c.call("DELETE", "/api/v1/namespaces/default/configmaps/new").status == 200);
  c.loop.run_ready();
  CHECK(c.next() == "1 delta -new=2");
  c.write("new", "9", true);
  CHECK(c.next() == "1 whole +new=9");
}

TEST_CASE("watch session: an object that leaves the selection goes by its last version") {
  SessionCase c;
  c.subscribe(1, "configmaps", true, {}, {}, "color=red");
  CHECK(c.next() == "1 started");
  c.write("a", "1", true);
  auto color = [&](std::string_view value) {
    auto patch = base::concat(R"({"metadata":{"labels":{"color":")", value, R"("}}})");
    auto answer = c.call("PATCH", "/api/v1/namespaces/default/configmaps/a", patch,
                         "application/merge-patch+json");
    REQUIRE(answer.status == 200);
    c.loop.run_ready();
  };
  CHECK(c.next() == "nothing");
  color("red");
  CHECK(c.next() == "1 whole +a=1");
  color("blue");
  CHECK(c.next() == "1 delta -a=1");
  CHECK(c.kept.at("default/a").text().find("red") != std::string::npos);
  color("red");
  CHECK(c.next() == "1 whole +a=1");
}

TEST_CASE("watch session: a watch that may not be is refused by itself") {
  SessionCase c("visitor", {"visitors"});
  c.subscribe(1, "configmaps");
  CHECK(c.next() == "1 ended 403");
  c.subscribe(2, "unicorns");
  CHECK(c.next() == "2 ended 403");
  CHECK_FALSE(c.session.is_closed());
}

TEST_CASE("watch session: what makes no sense is refused") {
  SessionCase c;
  c.subscribe(1, "unicorns");
  CHECK(c.next() == "1 ended 404");
  c.subscribe(1, "configmaps", false, "spec.nothing=1");
  CHECK(c.next() == "1 ended 400");
  c.subscribe(1, "secrets/x");
  CHECK(c.next() == "1 ended 400");
  c.subscribe(1, "configmaps?x=");
  CHECK(c.next() == "1 ended 400");
  c.subscribe(1, "");
  CHECK(c.next() == "1 ended 400");
  c.subscribe(0, "configmaps");
  CHECK(c.next() == "0 ended 400");
  c.subscribe(1, "subjectaccessreviews", false, {}, "authorization.k8s.io");
  CHECK(c.next() == "1 ended 405");
  c.subscribe(1, "configmaps");
  CHECK(c.next() == "1 started");
  c.subscribe(1, "pods");
  CHECK(c.next() == "1 ended 400");
}

TEST_CASE("watch session: revisions that are gone, or not of this cluster, mean a new list") {
  SessionCase c;
  client::SubscribeFrame frame;
  frame.version = "v1";
  frame.resource = "configmaps";
  frame.revision = c.hub_->snapshot().revision() + 1'000'000;
  c.session.say(1, client::encode_watch_frame(frame));
  c.loop.run_ready();
  CHECK(c.next() == "nothing");
  c.loop.advance(10s);
  CHECK(c.next() == "1 ended 410");
}

TEST_CASE("watch session: frames of a newer release are ignored, another version ends it") {
  SessionCase c;
  c.session.say(3, std::string("\x01\x7fhello", 7));
  http::ChannelFrame closing;
  c.subscribe(1, "configmaps");
  CHECK(c.next() == "1 started");
  c.session.say(3, std::string("\x02\x01", 2));
  c.loop.run_ready();
  CHECK(c.session.is_closed());
  CHECK(c.is_over);
}

TEST_CASE("watch session: the client is told now and then how far it is, for a later session") {
  SessionCase c;
  c.subscribe(1, "pods");
  c.subscribe(2, "services");
  c.session.sent.clear();
  c.loop.advance(10min);
  CHECK(c.next() == "nothing");
  for (int i = 0; i < 600; ++i) c.write("a", std::to_string(i), i == 0);
  c.loop.advance(61s);
  CHECK(c.next() == base::concat("0 position ", c.hub_->snapshot().revision()));
  c.loop.advance(10min);
  CHECK(c.next() == "nothing");
}

TEST_CASE("watch session: a right that is taken away ends the watch within minutes") {
  SessionCase c("visitor", {"visitors"});
  std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  std::string role = R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],)"
                     R"("resources":["configmaps"],"verbs":["watch"]}]})";
  std::string binding =
      R"({"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",)"
      R"("kind":"Role","name":"r"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io",)"
      R"("kind":"User","name":"visitor"}]})";
  REQUIRE(c.call("POST", rbac + "roles", role).status == 201);
  REQUIRE(c.call("POST", rbac + "rolebindings", binding).status == 201);
  c.subscribe(1, "configmaps");
  CHECK(c.next() == "1 started");
  c.loop.advance(11min);
  CHECK(c.next() == "nothing");
  REQUIRE(c.call("DELETE", rbac + "rolebindings/b").status == 200);
  c.loop.advance(6min);
  CHECK(c.next() == "1 ended 403");
  c.write("a", "1", true);
  CHECK(c.next() == "nothing");
}

TEST_CASE("watch session: a client that takes nothing costs little and is let go") {
  SessionCase c;
  c.subscribe(1, "configmaps");
  c.session.sent.clear();
  c.session.stuck = true;
  for (int i = 0; i < 100; ++i) c.write("a", std::to_string(i), i == 0);
  CHECK(c.session.sent.empty());
  CHECK_FALSE(c.session.is_closed());
  c.loop.advance(3min);
  CHECK(c.session.is_closed());
  CHECK(c.is_over);
}

TEST_CASE("watch session: only by an extended CONNECT, and not for nobody") {
  ApiFixture f;
  CHECK(f.call("GET", std::string(client::kWatchTarget)).status == 400);
  auto stranger = f.request("CONNECT", std::string(client::kWatchTarget));
  stranger.peer = {};
  stranger.headers.set(":protocol", std::string(client::kWatchProtocol));
  CHECK(f.send(std::move(stranger)).status == 403);
}
