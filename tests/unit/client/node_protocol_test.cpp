// The bytes of a node's sessions. Masters and nodes of other releases speak them: a golden text is
// never changed, only added to.
#include <skiff/base/strings.h>
#include <skiff/client/node_protocol.h>
#include <skiff/client/uplink.h>
#include <skiff/client/watch_frames.h>

#include "client/limits.h"
#include "http/sessions/channel_session.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::client;
using codec::Json;
using FrameKind = http::ChannelFrame::Kind;

namespace {

class CapturingTransport final : public http::SessionTransport {
 public:
  CapturingTransport(test::SimLoop& loop, std::string& out) : loop_(loop), out_(out) {}
  void send(std::string_view bytes) override { out_ += bytes; }
  std::size_t queued_bytes() const override { return 0; }
  base::CancelToken cancel() const override { return {}; }
  base::Timers& timers() override { return loop_; }
  void resume_input() override {}

 private:
  test::SimLoop& loop_;
  std::string& out_;
};

// As it goes over the wire, in hexadecimal: length, kind, channel; and the data as it is.
std::string wire(const http::ChannelFrame& frame) {
  test::SimLoop loop;
  std::string out;
  auto session = http::make_framed_session(std::make_unique<CapturingTransport>(loop, out), "x");
  CHECK(loop.run(session->write(frame)).is_ok());
  return base::to_hex(std::string_view(out).substr(0, 9)) + " " + out.substr(9);
}
std::string wire(const ControlMessage& message) {
  auto frame = encode_control(message);
  REQUIRE(frame.is_ok());
  return wire(*frame);
}

OpenStream exec_request() {
  OpenStream open;
  open.id = "00ff00ff00ff00ff00ff00ff00ff00ff";
  open.request.kind = NodeRequest::Kind::exec;
  open.request.namespace_name = "default";
  open.request.pod = "web";
  open.request.pod_uid = "u-1";
  open.request.container = "nginx";
  open.request.options = Json::object({{"command", Json::array({Json("sh")})}, {"stdin", true}});
  return open;
}

template <class T>
T parsed(const http::ChannelFrame& frame) {
  auto message = parse_control(frame);
  REQUIRE(message.is_ok());
  REQUIRE(std::holds_alternative<T>(*message));
  return std::get<T>(std::move(*message));
}

http::ChannelFrame control(std::uint32_t channel, std::string data) {
  http::ChannelFrame frame;
  frame.channel = channel;
  frame.data = std::move(data);
  return frame;
}

}  // namespace

TEST_CASE("names that other releases use") {
  CHECK(kNodeSessionProtocol == "skiff-node-v1");
  CHECK(kNodeSessionPath == "/skiff/v1/node");
  CHECK(kNodeNameHeader == "skiff-node-name");
  CHECK(kStreamSessionProtocol == "skiff-stream-v1");
  CHECK(kStreamSessionPrefix == "/skiff/v1/streams/");
  CHECK(kFeatureStreams == "streams");
  CHECK(kFeatureLease == "lease");
  CHECK(kWatchProtocol == "skiff-watch-v1");
  CHECK(kWatchTarget == "/skiff/v1/watch");
  CHECK(kMasterName == "kubernetes");
  const std::pair<NodeRequest::Kind, std::string_view> kinds[] = {
      {NodeRequest::Kind::logs, "logs"},     {NodeRequest::Kind::exec, "exec"},
      {NodeRequest::Kind::attach, "attach"}, {NodeRequest::Kind::port_forward, "portforward"},
      {NodeRequest::Kind::node, "node"},     {NodeRequest::Kind::proxy, "proxy"}};
  for (const auto& [kind, name] : kinds) {
    auto open = exec_request();
    open.request.kind = kind;
    CHECK(wire(ControlMessage(open)).find(base::concat(R"("kind":")", name, '"')) !=
          std::string::npos);
  }
}

TEST_CASE("the control session's frames, byte by byte") {
  CHECK(wire(ControlMessage(Hello{"v1.36.0+skiff.1", {"streams", "lease"}})) ==
        R"(000000410000000001 {"version":"v1.36.0+skiff.1","features":["streams","lease"]})");
  auto beat = encode_control(Heartbeat{0x0102030405060708});
  CHECK(base::to_hex(beat->data) == "0102030405060708");
  CHECK(beat->channel == 2);
  auto answer = encode_control(HeartbeatAnswer{7});
  CHECK(base::to_hex(answer->data) == "0000000000000007");
  CHECK(answer->channel == 3);
  CHECK(wire(ControlMessage(exec_request())) ==
        R"(000000ab0000000004 {"id":"00ff00ff00ff00ff00ff00ff00ff00ff","kind":"exec",)"
        R"("namespace":"default","pod":"web","podUID":"u-1","container":"nginx",)"
        R"("options":{"command":["sh"],"stdin":true}})");
  CHECK(wire(ControlMessage(CancelStream{"00ff"})) == "000000090000000005 00ff");
  CHECK(wire(ControlMessage(Goodbye{base::conflict("taken")})) ==
        R"(0000002a0000000006 {"code":"conflict","message":"taken"})");
  CHECK(wire(ControlMessage(AuthoritiesChanged())) == "000000050000000007 ");
}

TEST_CASE("a stream's frames, byte by byte") {
  CHECK(wire(encode_head(base::Status())) == R"(000000120200000000 {"code":"ok"})");
  CHECK(wire(encode_head(base::not_found("no such container"))) ==
        R"(000000370200000000 {"code":"not_found","message":"no such container"})");
  CHECK(wire(encode_tail(base::Status())) == R"(000000120300000000 {"code":"ok"})");
  auto frames = encode_frames(NodeFrame{1, "out", false});
  REQUIRE(frames.size() == 1);
  CHECK(wire(frames[0]) == "000000080000000001 out");
  frames = encode_frames(NodeFrame{3, "{}", true});
  REQUIRE(frames.size() == 1);
  CHECK(wire(frames[0]) == "000000070100000003 {}");
}

TEST_CASE("what is encoded comes back") {
  auto hello = parsed<Hello>(*encode_control(Hello{"v", {"a", "b"}}));
  CHECK(hello.version == "v");
  CHECK(hello.has("b"));
  CHECK_FALSE(hello.has("c"));
  CHECK(parsed<Heartbeat>(*encode_control(Heartbeat{~0ull})).sequence == ~0ull);
  auto open = parsed<OpenStream>(*encode_control(exec_request()));
  CHECK(open.is_known);
  CHECK(open.id == exec_request().id);
  CHECK(open.request.kind == NodeRequest::Kind::exec);
  CHECK(open.request.pod_uid == "u-1");
  CHECK(open.request.options == exec_request().request.options);
  auto goodbye = parsed<Goodbye>(*encode_control(Goodbye{base::conflict("taken")}));
  CHECK(goodbye.why.to_string() == "conflict: taken");
  std::string data(2 * kNodeFrameBytesMax + 5, 'd');
  std::string back;
  auto frames = encode_frames(NodeFrame{1, data, true});
  CHECK(frames.size() == 3);
  for (auto& frame : frames) {
    auto message = parse_stream(std::move(frame));
    REQUIRE(message.is_ok());
    auto& got = std::get<NodeFrame>(*message);
    back += got.data;
    CHECK(got.end == (back.size() == data.size()));
  }
  CHECK(back == data);
  auto head = parse_stream(encode_head(base::invalid_argument("waiting")));
  CHECK(std::get<StreamHead>(*head).status.to_string() == "invalid_argument: waiting");
}

TEST_CASE("what another release says is ignored or refused, not misread") {
  CHECK(std::holds_alternative<UnknownMessage>(*parse_control(control(99, "?"))));
  auto later = control(1, R"({"version":"v9","features":["x",7],"more":{"a":1}})");
  CHECK(parsed<Hello>(later).features == std::vector<std::string>{"x"});
  auto beat = control(2, std::string("\0\0\0\0\0\0\0\5and more", 16));
  CHECK(parsed<Heartbeat>(beat).sequence == 5);
  auto open = parsed<OpenStream>(control(4, R"({"id":"ab","kind":"dance"})"));
  CHECK_FALSE(open.is_known);
  auto status = parse_stream(encode_head(base::Status(base::Code::data_loss, "gone")));
  CHECK(std::get<StreamHead>(*status).status.code() == base::Code::internal);
}

TEST_CASE("what is malformed or too large is refused") {
  for (const auto& frame :
       {control(1, "["), control(1, "3"), control(2, "short"), control(4, R"({"kind":"logs"})"),
        control(4, R"({"id":"../x","kind":"logs"})"), control(5, "A/B"), control(6, "{}"),
        control(1, R"({"version":")" + std::string(kNodeHelloBytesMax, 'v') + R"("})")})
    CHECK_FALSE(parse_control(frame).is_ok());
  auto open = exec_request();
  open.request.options.set("command", std::string(kNodeRequestBytesMax, 'c'));
  CHECK(encode_control(open).code() == base::Code::too_large);
  auto head = encode_head(base::not_found(std::string(1u << 20, '"')));
  CHECK(head.data.size() <= kNodeStatusBytesMax);
  CHECK(parse_stream(std::move(head)).is_ok());
}

TEST_CASE("a hello is as large as the other end takes, or is not sent") {
  Hello hello;
  hello.features = {std::string(kNodeHelloBytesMax, 'x')};
  CHECK(encode_control(hello).status().code() == base::Code::too_large);
}
