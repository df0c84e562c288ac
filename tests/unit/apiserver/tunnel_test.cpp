#include <skiff/base/strings.h>
#include <skiff/client/node_protocol.h>

#include "unit/apiserver/tunnel_fixture.h"

using namespace skiff;
using namespace skiff::test;
using namespace std::chrono_literals;

namespace {

base::Task<std::string> metric(TunnelMaster* master, loop::Loop* loop, std::string name) {
  auto connecting = http::connect_http2(*loop, master->target("admin", "system:masters"));
  auto connection = co_await std::move(connecting);
  REQUIRE(connection);
  http::Http2Request request;
  request.target = "/metrics";
  auto sending = (*connection)->send(std::move(request));
  auto answer = co_await std::move(sending);
  REQUIRE(answer);
  auto at = answer->body.find("\n" + name + " ");
  REQUIRE(at != std::string::npos);
  auto from = at + name.size() + 2;
  co_return answer->body.substr(from, answer->body.find('\n', from) - from);
}

// Waits until the metric has the value.
base::Task<bool> becomes(TunnelMaster* master, loop::Loop* loop, std::string name,
                         std::string value) {
  for (int i = 0; i < 100; ++i) {
    auto looking = metric(master, loop, name);
    auto now = co_await std::move(looking);
    if (now == value) co_return true;
    auto pausing = base::sleep(*loop, 20ms, {});
    (void)co_await std::move(pausing);
  }
  co_return false;
}

base::Task<void> write(client::NodeStream* stream, client::NodeFrame frame) {
  auto writing = stream->write(std::move(frame));
  auto written = co_await std::move(writing);
  CHECK(written.to_string() == "ok");
}

base::Task<client::NodeFrame> read(client::NodeStream* stream) {
  auto reading = stream->read();
  auto frame = co_await std::move(reading);
  INFO(frame.status().to_string());
  REQUIRE(frame);
  REQUIRE(frame->has_value());
  co_return std::move(**frame);
}

// An exec that is over at once.
base::Task<void> echo_once(client::NodeChannel* nodes, std::string node, std::string text) {
  auto opening = nodes->open(std::move(node), request_for("echo"));
  auto stream = co_await std::move(opening);
  INFO(stream.status().to_string());
  REQUIRE(stream);
  auto writing = write(stream->get(), {0, text, true});
  co_await std::move(writing);
  auto reading = read(stream->get());
  auto frame = co_await std::move(reading);
  CHECK(frame.data == text);
  auto again = read(stream->get());
  auto bye = co_await std::move(again);
  CHECK(bye.channel == 3);
  CHECK(bye.data == "bye");
  CHECK(bye.end);
  auto last = (*stream)->read();
  auto end = co_await std::move(last);
  REQUIRE(end);
  CHECK_FALSE(end->has_value());
}

base::Task<base::Status> refusal(loop::Loop* loop, http::Http2ConnectOptions target,
                                 std::string protocol, std::string path, std::string name) {
  auto connecting = http::connect_http2(*loop, std::move(target));
  auto connection = co_await std::move(connecting);
  REQUIRE(connection);
  http::Http2Request request;
  request.target = std::move(path);
  request.headers.add(std::string(client::kNodeNameHeader), std::move(name));
  auto asking = (*connection)->open_session(std::move(protocol), std::move(request));
  auto session = co_await std::move(asking);
  co_return session.status();
}

}  // namespace

TEST_CASE("tunnel: streams to a connected node, both ways, and what it refuses") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto node = co_await std::move(joining);
    for (const char* text : {"a", "b"}) {
      auto echoing = echo_once(&m.nodes(), "n1", text);
      co_await std::move(echoing);
    }
    CHECK(node->channel.last.pod == "p");
    auto refused = m.nodes().open("n1", request_for("nothing"));
    auto error = co_await std::move(refused);
    CHECK(error.status().to_string() == "not_found: container not found (\"nothing\")");
    auto breaking = m.nodes().open("n1", request_for("broken"));
    auto broken = co_await std::move(breaking);
    REQUIRE(broken);
    auto reading = read(broken->get());
    auto reading_done = co_await std::move(reading);
    CHECK(reading_done.data == "half");
    auto more = (*broken)->read();
    auto end = co_await std::move(more);
    CHECK(end.status().to_string() == "unavailable: the disk is gone");
    auto elsewhere = m.nodes().open("n2", request_for("echo"));
    auto away = co_await std::move(elsewhere);
    CHECK(away.status().to_string() == "unavailable: node \"n2\" is not connected to this master");
    auto closing = becomes(&m, &loop, "skiff_tunnel_streams", "0");
    auto closing_done = co_await std::move(closing);
    CHECK(closing_done);
    auto counting = metric(&m, &loop, "skiff_tunnel_connected_nodes");
    auto counting_done = co_await std::move(counting);
    CHECK(counting_done == "1");
    auto leaving = leave(node);
    (void)co_await std::move(leaving);
    auto going = becomes(&m, &loop, "skiff_tunnel_connected_nodes", "0");
    auto going_done = co_await std::move(going);
    CHECK(going_done);
  });
}

TEST_CASE("tunnel: a slow reader holds up neither another stream nor the heartbeat") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1", 10ms);
    auto node = co_await std::move(joining);
    auto opening = m.nodes().open("n1", request_for("flood"));
    auto flood = co_await std::move(opening);
    REQUIRE(flood);
    // Until the flood has filled every buffer on the way.
    std::size_t produced = 0;
    for (int still = 0; still < 10;) {
      auto pausing = base::sleep(loop, 20ms, {});
      (void)co_await std::move(pausing);
      still = *node->channel.produced == produced ? still + 1 : 0;
      produced = *node->channel.produced;
    }
    constexpr std::size_t kWaitingBytesMax = 3u << 20;
    CHECK(produced > 0);
    CHECK(produced < kWaitingBytesMax);
    for (int i = 0; i < 20; ++i) {
      auto echoing = echo_once(&m.nodes(), "n1", "beside it");
      co_await std::move(echoing);
    }
    std::size_t taken = 0;
    while (taken < (64u << 20)) {
      auto reading = read(flood->get());
      auto frame = co_await std::move(reading);
      taken += frame.data.size();
      CHECK(*node->channel.produced < taken + kWaitingBytesMax);
    }
    auto counting = metric(&m, &loop, "skiff_tunnel_heartbeats_total");
    auto beats = co_await std::move(counting);
    CHECK(base::parse_int(beats).value_or(0) > 5);
    flood->reset();
    auto closing = becomes(&m, &loop, "skiff_tunnel_streams", "0");
    auto closing_done = co_await std::move(closing);
    CHECK(closing_done);
    auto stopped = *node->channel.produced;
    auto pausing = base::sleep(loop, 20ms, {});
    (void)co_await std::move(pausing);
    CHECK(*node->channel.produced == stopped);
    auto leaving = leave(node);
    auto leaving_done = co_await std::move(leaving);
    CHECK(leaving_done.code() == base::Code::cancelled);
  });
}

TEST_CASE("tunnel: input that the node does not take ends with its caller") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto node = co_await std::move(joining);
    auto opening = m.nodes().open("n1", request_for("sink"));
    auto opened = co_await std::move(opening);
    REQUIRE(opened);
    std::shared_ptr<client::NodeStream> sink(std::move(*opened));
    auto written = std::make_shared<std::size_t>(0);
    auto fill = [](std::shared_ptr<client::NodeStream> stream,
                   std::shared_ptr<std::size_t> count) -> base::Task<void> {
      for (;;) {
        auto writing = stream->write({0, std::string(32u << 10, 'i'), false});
        auto done = co_await std::move(writing);
        if (!done.is_ok()) co_return;
        *count += 32u << 10;
      }
    };
    base::spawn_detached(loop, fill(sink, written));
    std::size_t before = 1;
    while (before != *written) {
      before = *written;
      auto pausing = base::sleep(loop, 100ms, {});
      (void)co_await std::move(pausing);
    }
    CHECK(*written > 0);
    CHECK(*written < (3u << 20));
    sink->close();
    auto closing = becomes(&m, &loop, "skiff_tunnel_streams", "0");
    auto closing_done = co_await std::move(closing);
    CHECK(closing_done);
    auto& session = *node->channel.sessions.at(0);
    for (int i = 0; i < 500 && !session.cancel.is_cancelled(); ++i) {
      auto pausing = base::sleep(loop, 10ms, {});
      (void)co_await std::move(pausing);
    }
    CHECK(session.cancel.is_cancelled());
    auto leaving = leave(node);
    (void)co_await std::move(leaving);
  });
}

TEST_CASE("tunnel: a lost connection ends its streams with an error") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto node = co_await std::move(joining);
    auto opening = m.nodes().open("n1", request_for("sink"));
    auto stream = co_await std::move(opening);
    REQUIRE(stream);
    node->connection->close();
    auto reading = (*stream)->read();
    auto end = co_await std::move(reading);
    CHECK(end.code() == base::Code::unavailable);
    CHECK(std::string(end.status().message()).find("the connection to node \"n1\" was lost") == 0);
    auto ended = node->ended.future();
    auto ended_done = co_await ended;
    CHECK(ended_done.code() == base::Code::unavailable);
    CHECK(node->channel.sessions.at(0)->cancel.is_cancelled());
    auto going = becomes(&m, &loop, "skiff_tunnel_connected_nodes", "0");
    auto going_done = co_await std::move(going);
    CHECK(going_done);
  });
}

TEST_CASE("tunnel: the newer connection of a node takes the place of the older") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto older = co_await std::move(joining);
    auto opening = m.nodes().open("n1", request_for("sink"));
    auto stream = co_await std::move(opening);
    REQUIRE(stream);
    auto again = join_master(loop, m.target_of("n1"), "n1");
    auto newer = co_await std::move(again);
    auto future = older->ended.future();
    auto why = co_await future;
    CHECK(why.to_string() == "conflict: another connection of node \"n1\" takes its place");
    auto reading = (*stream)->read();
    auto end = co_await std::move(reading);
    CHECK(end.code() == base::Code::unavailable);
    auto echoing = echo_once(&m.nodes(), "n1", "still there");
    co_await std::move(echoing);
    CHECK(newer->channel.opened == 1);
    auto leaving = leave(newer);
    (void)co_await std::move(leaving);
  });
}

TEST_CASE("tunnel: only a node may, for its own name") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    struct Attempt {
      const char *user, *group, *protocol, *path, *name;
      base::Code code;
      const char* sentence;
    };
    const Attempt attempts[] = {
        {"system:node:n1", "system:nodes", "skiff-node-v1", "/skiff/v1/node", "n2",
         base::Code::permission_denied, "node \\\"n1\\\" may speak for no node but itself"},
        {"admin", "system:masters", "skiff-node-v1", "/skiff/v1/node", "n1",
         base::Code::permission_denied, "only a node may, by its own certificate"},
        {"system:node:n1", "system:other", "skiff-node-v1", "/skiff/v1/node", "n1",
         base::Code::permission_denied, "only a node may, by its own certificate"},
        {"system:node:n1", "system:nodes", "skiff-watch-v9", "/skiff/v1/node", "n1",
         base::Code::invalid_argument, "the releases of node and master are too far apart"},
        {"system:node:n1", "system:nodes", "skiff-stream-v1",
         "/skiff/v1/streams/00112233445566778899aabbccddeeff", "n1", base::Code::not_found,
         "no stream of this id was asked for on this connection"},
        {"admin", "system:masters", "skiff-stream-v1", "/skiff/v1/streams/00", "n1",
         base::Code::permission_denied, "only a node may, by its own certificate"},
    };
    for (const auto& one : attempts) {
      auto refusing =
          refusal(&loop, m.target(one.user, one.group), one.protocol, one.path, one.name);
      auto status = co_await std::move(refusing);
      INFO(status.to_string());
      CHECK(status.code() == one.code);
      CHECK(status.to_string().find(one.sentence) != std::string::npos);
      CHECK(status.to_string().find(R"("kind":"Status")") != std::string::npos);
    }
  });
}

namespace {

// Speaks for a node as a thief would: by hand.
base::Task<std::unique_ptr<http::ChannelSession>> greet_by_hand(http::Http2Connection* connection,
                                                                std::string name) {
  http::Http2Request request;
  request.target = client::kNodeSessionPath;
  request.headers.add(std::string(client::kNodeNameHeader), std::move(name));
  auto asking =
      connection->open_session(std::string(client::kNodeSessionProtocol), std::move(request));
  auto session = co_await std::move(asking);
  REQUIRE(session);
  auto hello = client::encode_control(client::Hello{"v0", {}});
  auto writing = (*session)->write(std::move(*hello));
  auto writing_done = co_await std::move(writing);
  CHECK(writing_done.is_ok());
  auto reading = (*session)->read();
  auto answer = co_await std::move(reading);
  REQUIRE((answer && answer->has_value()));
  CHECK(std::holds_alternative<client::Hello>(*client::parse_control(**answer)));
  co_return std::move(*session);
}

base::Task<void> open_into(client::NodeChannel* nodes, std::string node, base::CancelToken cancel,
                           base::OneShot<base::Status> done) {
  auto opening = nodes->open(std::move(node), request_for("slow", std::move(cancel)));
  auto opened = co_await std::move(opening);
  done.set(opened.status());
}

base::Task<client::ControlMessage> next_message(http::ChannelSession* session) {
  auto reading = session->read();
  auto frame = co_await std::move(reading);
  REQUIRE((frame && frame->has_value()));
  auto message = client::parse_control(**frame);
  REQUIRE(message);
  co_return std::move(*message);
}

}  // namespace

TEST_CASE(
    "tunnel: an id is good on its own connection alone, and once; the node is told who left") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto first = http::connect_http2(loop, m.target_of("n1"));
    auto own = co_await std::move(first);
    auto second = http::connect_http2(loop, m.target_of("n1"));
    auto sibling = co_await std::move(second);
    auto third = http::connect_http2(loop, m.target_of("n2"));
    auto foreign = co_await std::move(third);
    REQUIRE((own && sibling && foreign));
    auto greeting = greet_by_hand(own->get(), "n1");
    auto control = co_await std::move(greeting);
    base::CancelSource cancel;
    base::OneShot<base::Status> done;
    base::spawn_detached(loop, open_into(&m.nodes(), "n1", cancel.token(), done));
    auto hearing = next_message(control.get());
    auto message = co_await std::move(hearing);
    REQUIRE(std::holds_alternative<client::OpenStream>(message));
    const auto id = std::get<client::OpenStream>(message).id;
    CHECK(id.size() == 32);
    http::Http2Request request;
    request.target = base::concat(client::kStreamSessionPrefix, id);
    for (auto* thief : {sibling->get(), foreign->get()}) {
      auto stealing = thief->open_session(std::string(client::kStreamSessionProtocol), request);
      auto stolen = co_await std::move(stealing);
      CHECK(stolen.code() == base::Code::not_found);
    }
    auto taking = (*own)->open_session(std::string(client::kStreamSessionProtocol), request);
    auto taken = co_await std::move(taking);
    CHECK(taken.is_ok());
    auto twice = (*own)->open_session(std::string(client::kStreamSessionProtocol), request);
    auto twice_done = co_await std::move(twice);
    CHECK(twice_done.code() == base::Code::not_found);
    cancel.cancel();
    auto future = done.future();
    auto future_done = co_await future;
    CHECK(future_done.code() == base::Code::cancelled);
    auto telling = next_message(control.get());
    auto told = co_await std::move(telling);
    REQUIRE(std::holds_alternative<client::CancelStream>(told));
    CHECK(std::get<client::CancelStream>(told).id == id);
    auto closing = becomes(&m, &loop, "skiff_tunnel_streams", "0");
    auto closing_done = co_await std::move(closing);
    CHECK(closing_done);
  });
}

TEST_CASE("tunnel: a caller who goes away before the node has opened") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto node = co_await std::move(joining);
    base::CancelSource cancel;
    base::OneShot<base::Status> done;
    base::spawn_detached(loop, open_into(&m.nodes(), "n1", cancel.token(), done));
    while (node->channel.opened == 0) {
      auto pausing = base::sleep(loop, 5ms, {});
      (void)co_await std::move(pausing);
    }
    cancel.cancel();
    auto future = done.future();
    auto future_done = co_await future;
    CHECK(future_done.code() == base::Code::cancelled);
    while (node->channel.given_up == 0) {
      auto pausing = base::sleep(loop, 5ms, {});
      (void)co_await std::move(pausing);
    }
    auto leaving = leave(node);
    (void)co_await std::move(leaving);
  });
}

TEST_CASE("tunnel: the local node's channel stands beside it") {
  FakeNode local;
  TunnelMaster master(&local, "here");
  with_nodes(master, [](loop::Loop&, TunnelMaster& m) -> base::Task<void> {
    auto echoing = echo_once(&m.nodes(), "here", "local");
    co_await std::move(echoing);
    auto elsewhere = m.nodes().open("there", request_for("echo"));
    auto away = co_await std::move(elsewhere);
    CHECK(away.status().message() == "node \"there\" is not connected to this master");
  });
  CHECK(local.opened == 1);
}

TEST_CASE("tunnel: a stop of the master ends sessions and streams") {
  TunnelMaster master;
  with_nodes(master, [](loop::Loop& loop, TunnelMaster& m) -> base::Task<void> {
    auto joining = join_master(loop, m.target_of("n1"), "n1");
    auto node = co_await std::move(joining);
    auto opening = m.nodes().open("n1", request_for("flood"));
    auto stream = co_await std::move(opening);
    REQUIRE(stream);
    auto* server = &m;
    std::thread stopping([server] { server->stop(); });
    auto future = node->ended.future();
    auto future_done = co_await future;
    CHECK(future_done.code() == base::Code::unavailable);
    stopping.join();
  });
}
