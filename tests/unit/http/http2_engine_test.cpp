#include "http/http2/engine.h"
#include "http/limits.h"

#include <malloc.h>
#include <catch2/catch.hpp>

#include <functional>
#include <map>

using namespace skiff;

namespace {

// Keeps what arrives, and answers when the request is whole.
class EndStream final : public http::Http2Stream {
 public:
  bool on_header(std::string_view name, std::string_view value) override {
    headers[std::string(name)] = value;
    return true;
  }
  void on_headers_end() override {}
  void on_data(std::string_view data) override { body += data; }
  void on_end_of_input() override {
    ended = true;
    if (engine == nullptr) return;
    outbox.push(base::SharedBytes(answer));
    outbox.end();
    engine->submit_response(*this, {{":status", "200"}}, true);
  }
  void on_sent() override {
    if (at_sent) at_sent();
  }
  void on_closed(http::Http2Error) override {}

  http::Http2Engine* engine = nullptr;  // of a server
  std::string answer;
  std::map<std::string, std::string> headers;
  std::string body;
  bool ended = false;
  std::function<void()> at_sent;
};

class End final : public http::Http2Owner {
 public:
  explicit End(http::Http2Engine::Side side) : engine(side, settings(), *this) {}
  std::shared_ptr<http::Http2Stream> on_stream(std::int32_t) override {
    auto stream = std::make_shared<EndStream>();
    stream->engine = &engine;
    stream->answer = answer;
    stream->at_sent = at_sent;
    return stream;
  }
  void on_ping_answer() override {}
  void on_go_away() override {}

  std::string take_all() {
    std::string all;
    for (auto out = engine.take_output(); !out.empty(); out = engine.take_output())
      all += out.view();
    return all;
  }

  http::Http2Engine engine;
  std::string answer;
  std::function<void()> at_sent;

 private:
  static http::Http2Settings settings() {
    http::Http2Settings settings;
    settings.streams_max = http::kHttp2StreamsMax;
    settings.stream_window_bytes = http::kHttp2StreamWindowBytes;
    settings.connection_window_bytes = http::kHttp2ConnectionWindowBytes;
    settings.header_list_bytes_max = 64 << 10;
    return settings;
  }
};

// A client and a server whose bytes are carried by hand.
struct Pair {
  End client{http::Http2Engine::Side::client};
  End server{http::Http2Engine::Side::server};

  std::shared_ptr<EndStream> ask(const std::string& path, const std::string& field = "x") {
    auto stream = std::make_shared<EndStream>();
    http::HeaderFields fields{{":method", "GET"},
                              {":scheme", "https"},
                              {":authority", "master"},
                              {":path", path},
                              {"field", field}};
    stream->outbox.end();
    REQUIRE(client.engine.submit_request(stream, fields, false).is_ok());
    return stream;
  }
  void carry() {
    for (;;) {
      auto up = client.take_all();
      REQUIRE(server.engine.receive(up).is_ok());
      auto down = server.take_all();
      REQUIRE(client.engine.receive(down).is_ok());
      if (up.empty() && down.empty()) return;
    }
  }
};

std::string pattern(std::size_t size, char first) {
  std::string text(size, first);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(first + i % 19);
  return text;
}

}  // namespace

TEST_CASE("http2 engine: connections that begin at the same time do not mix", "[http2]") {
  Pair one, other;
  one.server.answer = pattern(50'000, 'a');
  other.server.answer = pattern(40'000, 'A');
  auto first = one.ask("/one"), second = other.ask("/other");
  other.carry();
  one.carry();
  CHECK(first->body == one.server.answer);
  CHECK(second->body == other.server.answer);
  CHECK(first->ended);
}

TEST_CASE("http2 engine: a callback of one connection may send on another", "[http2]") {
  Pair inner, outer;
  inner.server.answer = pattern(30'000, 'A');
  outer.server.answer = pattern(70'000, 'a');
  std::vector<std::shared_ptr<EndStream>> asked;
  outer.server.at_sent = [&] {
    asked.push_back(inner.ask("/inner"));
    inner.carry();
  };
  auto stream = outer.ask("/outer");
  outer.carry();
  CHECK(stream->body == outer.server.answer);
  REQUIRE(asked.size() > 2);
  for (const auto& each : asked) CHECK(each->body == inner.server.answer);
}

TEST_CASE("http2 engine: a head of several frames is whole though others send between them",
          "[http2]") {
  Pair one, other;
  const auto field = pattern(40'000, 'a');
  other.server.answer = pattern(20'000, 'A');
  one.carry();
  (void)one.ask("/one", field);
  std::string up;
  int frames = 0;
  for (auto out = one.client.engine.take_output(); !out.empty();
       out = one.client.engine.take_output()) {
    up += out.view();
    ++frames;
    auto between = other.ask("/other");
    other.carry();
    CHECK(between->body == other.server.answer);
  }
  CHECK(frames == 2);  // HEADERS and CONTINUATION
  REQUIRE(one.server.engine.receive(up).is_ok());
  REQUIRE(one.server.engine.stream_count() == 1);
  auto& got = static_cast<EndStream&>(*one.server.engine.streams().begin()->second);
  CHECK(got.headers["field"] == field);
}

TEST_CASE("http2 engine: an idle session does not keep a frame's buffer", "[http2]") {
  constexpr std::size_t kSessions = 50;
  std::vector<std::unique_ptr<Pair>> pairs;
  pairs.push_back(std::make_unique<Pair>());
  const auto before = mallinfo2().uordblks;
  for (std::size_t i = 0; i < kSessions; ++i) {
    pairs.push_back(std::make_unique<Pair>());
    pairs.back()->carry();
  }
  // Two sessions, each with tables of the head's fields and a table of streams.
  CHECK((mallinfo2().uordblks - before) / kSessions < 2 * http::kHttp2FrameBytesMax);
}
