#include <skiff/client/node_protocol.h>

#include "client/limits.h"
#include "client/uplink/node_session.h"
#include "support/fake_node.h"
#include "support/session_pair.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::client;
using namespace std::chrono_literals;

namespace {

// A node's session whose master the test plays.
struct Played {
  Played() {
    options.loop = &fd_loop;
    options.node_name = "n1";
    options.local = &node;
    options.on_established = [this] { established = true; };
  }
  // A session that goes on would keep itself alive.
  ~Played() {
    cancel.cancel();
    loop.run_ready();
  }
  void start() {
    base::spawn_detached(loop, collect());
    loop.run_ready();
  }
  base::Task<void> collect() {
    auto running = run_node_session(connection, options, cancel.token());
    ended = co_await std::move(running);
    is_over = true;
  }
  void say(const ControlMessage& message) {
    auto frame = encode_control(message);
    REQUIRE(frame.is_ok());
    send(control(), std::move(*frame));
  }
  void send(test::MemorySession& session, http::ChannelFrame frame) {
    CHECK(loop.run(session.write(std::move(frame))).is_ok());
    loop.run_ready();
  }
  ControlMessage hear() {
    auto frame = loop.run(control().read());
    REQUIRE((frame.is_ok() && frame->has_value()));
    auto message = parse_control(**frame);
    REQUIRE(message.is_ok());
    return std::move(*message);
  }
  StreamMessage hear_stream(std::size_t index) {
    auto frame = loop.run(connection.opened.at(index).session->read());
    REQUIRE((frame.is_ok() && frame->has_value()));
    auto message = parse_stream(std::move(**frame));
    REQUIRE(message.is_ok());
    return std::move(*message);
  }
  void greet() {
    start();
    REQUIRE(std::holds_alternative<Hello>(hear()));
    say(Hello{"v1", {"streams", "lease"}});
    REQUIRE(established);
  }
  void ask(std::string id, std::string container) {
    OpenStream open;
    open.id = std::move(id);
    open.request.kind = NodeRequest::Kind::exec;
    open.request.container = std::move(container);
    say(open);
  }
  test::MemorySession& control() { return *connection.opened.at(0).session; }

  test::SimLoop loop;
  test::SimFdLoop fd_loop{loop};
  test::MemoryConnection connection;
  test::FakeNode node;
  NodeSessionOptions options;
  base::CancelSource cancel;
  base::Status ended;
  bool established = false, is_over = false;
};

}  // namespace

TEST_CASE("a node says who it is and keeps its heartbeat") {
  Played played;
  played.greet();
  CHECK(played.connection.opened[0].target == "/skiff/v1/node");
  CHECK(played.connection.opened[0].headers.get("skiff-node-name") == "n1");
  for (std::uint64_t beat = 1; beat <= 5; ++beat) {
    auto before = played.loop.monotonic();
    auto message = played.hear();
    REQUIRE(std::holds_alternative<Heartbeat>(message));
    CHECK(std::get<Heartbeat>(message).sequence == beat);
    CHECK(played.loop.monotonic() - before == 30s);
    played.say(HeartbeatAnswer{beat});
  }
  played.loop.advance(29s);
  CHECK_FALSE(played.is_over);
  played.cancel.cancel();
  played.loop.run_ready();
  CHECK(played.is_over);
  CHECK(played.ended.code() == base::Code::cancelled);
  CHECK(played.connection.closed().is_cancelled());
}

TEST_CASE("a node hears that the cluster trusts other authorities") {
  Played played;
  int told = 0;
  played.options.on_authorities_changed = [&] { ++told; };
  played.greet();
  CHECK(told == 0);
  played.say(AuthoritiesChanged());
  CHECK(told == 1);
  CHECK_FALSE(played.is_over);
}

TEST_CASE("a master that does not answer a heartbeat within 10 s has lost the node") {
  Played played;
  played.greet();
  (void)played.hear();
  played.say(HeartbeatAnswer{0});  // of another one
  played.loop.advance(9s);
  CHECK_FALSE(played.is_over);
  played.loop.advance(1s);
  CHECK(played.is_over);
  CHECK(played.ended.code() == base::Code::deadline_exceeded);
  CHECK(played.connection.closed().is_cancelled());
}

TEST_CASE("a master that does not greet, refuses, or says goodbye") {
  Played played;
  SECTION("silence") {
    played.start();
    played.loop.advance(10s);
    CHECK(played.ended.code() == base::Code::deadline_exceeded);
    CHECK_FALSE(played.established);
  }
  SECTION("refusal") {
    played.connection.refusal = base::Status(
        base::Code::permission_denied, R"(HTTP 403: {"kind":"Status","message":"not yours"})");
    played.start();
    CHECK(played.ended.to_string() == "permission_denied: not yours");
  }
  SECTION("a master of another time") {
    played.connection.refusal = base::not_found("HTTP 404: 404 page not found");
    played.start();
    CHECK(played.ended.code() == base::Code::unimplemented);
    CHECK(
        played.ended.message().starts_with("the master does not speak skiff-node-v1, which this"));
  }
  SECTION("goodbye") {
    played.greet();
    played.say(Goodbye{base::conflict("another takes its place")});
    CHECK(played.ended.to_string() == "conflict: another takes its place");
  }
  SECTION("nonsense") {
    played.greet();
    http::ChannelFrame frame;
    frame.channel = 4;
    frame.data = "{";
    played.send(played.control(), std::move(frame));
    CHECK(played.ended.code() == base::Code::invalid_argument);
  }
  SECTION("a frame of a later release is nothing") {
    played.greet();
    http::ChannelFrame frame;
    frame.channel = 77;
    played.send(played.control(), std::move(frame));
    CHECK_FALSE(played.is_over);
    played.control().lose();
    played.loop.run_ready();
    CHECK(played.ended.code() == base::Code::unavailable);
  }
  CHECK(played.is_over);
  CHECK(played.connection.closed().is_cancelled());
}

TEST_CASE("a stream that the master asks for is carried both ways") {
  Played played;
  played.greet();
  played.ask("ab12", "echo");
  REQUIRE(played.connection.opened.size() == 2);
  CHECK(played.connection.opened[1].target == "/skiff/v1/streams/ab12");
  CHECK(played.node.last_node == "n1");
  CHECK(std::get<StreamHead>(played.hear_stream(1)).status.is_ok());
  played.send(*played.connection.opened[1].session, encode_frames({0, "hi", false})[0]);
  CHECK(std::get<NodeFrame>(played.hear_stream(1)).data == "hi");
  played.send(*played.connection.opened[1].session, encode_frames({0, "", true})[0]);
  CHECK(std::get<NodeFrame>(played.hear_stream(1)).end);
  CHECK(std::get<NodeFrame>(played.hear_stream(1)).data == "bye");
  CHECK(std::get<StreamTail>(played.hear_stream(1)).status.is_ok());
}

TEST_CASE("streams that cannot be had say why") {
  Played played;
  SECTION("the node's own sentence") {
    played.greet();
    played.ask("ab", "nothing");
    CHECK(std::get<StreamHead>(played.hear_stream(1)).status.to_string() ==
          "not_found: container not found (\"nothing\")");
  }
  SECTION("no agent") {
    played.options.local = nullptr;
    played.greet();
    played.ask("ab", "echo");
    CHECK(std::get<StreamHead>(played.hear_stream(1)).status.code() == base::Code::unavailable);
  }
  SECTION("a kind of a later release") {
    played.greet();
    http::ChannelFrame frame;
    frame.channel = 4;
    frame.data = R"({"id":"ab","kind":"dance"})";
    played.send(played.control(), std::move(frame));
    CHECK(std::get<StreamHead>(played.hear_stream(1)).status.code() == base::Code::unimplemented);
    CHECK(played.node.opened == 0);
  }
  SECTION("it breaks off") {
    played.greet();
    played.ask("ab", "broken");
    CHECK(std::get<StreamHead>(played.hear_stream(1)).status.is_ok());
    CHECK(std::get<NodeFrame>(played.hear_stream(1)).data == "half");
    CHECK(std::get<StreamTail>(played.hear_stream(1)).status.to_string() ==
          "unavailable: the disk is gone");
  }
}

TEST_CASE("a cancelled opening and a cancelled stream end at the node") {
  Played played;
  played.greet();
  played.ask("aa", "slow");
  played.ask("bb", "sink");
  REQUIRE(played.connection.opened.size() == 2);
  CHECK(played.node.given_up == 0);
  played.say(CancelStream{"aa"});
  CHECK(played.node.given_up == 1);
  CHECK_FALSE(played.node.sessions.at(0)->cancel.is_cancelled());
  played.say(CancelStream{"bb"});
  CHECK(played.node.sessions.at(0)->cancel.is_cancelled());
  CHECK(played.connection.opened.size() == 2);  // no stream for what was given up
}

TEST_CASE("streams end with the session, and are bounded") {
  Played played;
  played.greet();
  for (std::size_t i = 0; i < kStreamsPerSessionMax + 5; ++i)
    played.ask("c" + std::to_string(i), "sink");
  CHECK(played.node.sessions.size() == kStreamsPerSessionMax);
  played.control().lose();
  played.loop.run_ready();
  CHECK(played.is_over);
  for (const auto& session : played.node.sessions) CHECK(session->cancel.is_cancelled());
}
