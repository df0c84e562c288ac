#include <skiff/base/strings.h>

#include "http/sessions/spdy_codec.h"
#include "unit/http/test_server.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::http_test;
using http::ChannelFrame;

namespace {

base::Task<void> write_frame(http::ChannelSession& session, std::uint32_t channel,
                             std::string data) {
  ChannelFrame frame;
  frame.channel = channel;
  frame.data = std::move(data);
  auto writing = session.write(std::move(frame));
  (void)co_await writing;
}

// stdin (0) comes back on stdout (1); its end is answered on error (3), and ends the session.
base::Task<void> run_exec(http::ChannelSession& session) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await reading;
    if (!frame || !frame->has_value()) co_return;
    if ((*frame)->kind == ChannelFrame::Kind::data) {
      auto echo = write_frame(session, 1, "<" + (*frame)->data + ">");
      co_await echo;
    } else if ((*frame)->kind == ChannelFrame::Kind::close_channel && (*frame)->channel == 0) {
      auto status = write_frame(session, 3, std::string("done ") + std::string(session.protocol()));
      co_await status;
      co_return;
    }
  }
}

// Of an upgrade whose protocol is the handler's business.
base::Task<void> run_shouting(http::ChannelSession& session) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await reading;
    if (!frame || !frame->has_value()) co_return;
    auto echo = write_frame(session, 0, (*frame)->data + "!");
    co_await echo;
    if ((*frame)->data == "end") co_return;
  }
}

base::Task<void> write_then_mark(http::ChannelSession& session, bool* read_ended) {
  auto reading = session.read();
  auto frame = co_await reading;
  *read_ended = frame.is_ok() && !frame->has_value();
}

// Closes while a read waits.
base::Task<void> run_closing(http::ChannelSession& session) {
  base::TaskScope scope(*base::Executor::current());
  bool read_ended = false;
  scope.spawn(write_then_mark(session, &read_ended));
  auto waiting = base::yield();
  co_await waiting;
  auto last = write_frame(session, 1, "last");
  co_await last;
  session.close();
  auto joined = scope.join();
  co_await joined;
  auto late = write_frame(session, 1, read_ended ? "ended" : "not ended");
  co_await late;
}

// Every opened channel gets "port P type T:" and then its own data back.
base::Task<void> run_forward(http::ChannelSession& session) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await reading;
    if (!frame || !frame->has_value()) co_return;
    std::uint32_t channel = (*frame)->channel;
    if ((*frame)->kind == ChannelFrame::Kind::open_channel) {
      auto hello = write_frame(session, channel,
                               base::concat("port ", (*frame)->headers.get("port"), " type ",
                                            (*frame)->headers.get("streamType"), ":"));
      co_await hello;
    } else if ((*frame)->kind == ChannelFrame::Kind::data) {
      auto echo = write_frame(session, channel, (*frame)->data);
      co_await echo;
    } else if ((*frame)->kind == ChannelFrame::Kind::close_channel) {
      ChannelFrame close;
      close.kind = ChannelFrame::Kind::close_channel;
      close.channel = channel;
      auto closing = session.write(std::move(close));
      (void)co_await closing;
    }
  }
}

base::Task<http::Response> upgrade_handler(http::Request request) {
  http::Response response;
  response.upgrade = std::make_unique<http::Upgrade>();
  if (request.path() == "/exec") {
    response.upgrade->protocols = {"v5.channel.k8s.io", "v4.channel.k8s.io"};
    response.upgrade->stream_types = {{"stdin", 0}, {"stdout", 1}};
    // What the client said that it will open.
    if (request.target.find("error") != std::string::npos)
      response.upgrade->stream_types.emplace_back("error", 3);
    response.upgrade->run = run_exec;
  } else if (request.path() == "/older") {
    response.upgrade->protocols = {"base64.channel.k8s.io", "channel.k8s.io"};
    response.upgrade->run = run_exec;
  } else if (request.path() == "/log") {
    response.upgrade->protocols = {"binary.k8s.io", "base64.binary.k8s.io"};
    response.upgrade->run = run_closing;
  } else if (request.path() == "/close") {
    response.upgrade->protocols = {"v5.channel.k8s.io"};
    response.upgrade->run = run_closing;
  } else if (request.path() == "/raw") {
    response.status = 101;
    response.headers.add("Connection", "Upgrade");
    response.headers.add("Upgrade", "shouting");
    response.upgrade->transport = http::Upgrade::Transport::raw;
    response.upgrade->run = run_shouting;
  } else {
    response.upgrade->protocols = {"portforward.k8s.io"};
    response.upgrade->run = run_forward;
  }
  co_return response;
}

FunctionHandler make_handler() {
  FunctionHandler handler;
  handler.on_request = upgrade_handler;
  return handler;
}

std::string websocket_request(std::string_view path, std::string_view protocols) {
  return base::concat("GET ", path,
                      " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Protocol: ",
                      protocols, "\r\n\r\n");
}
std::string spdy_request(std::string_view path, std::string_view protocol_headers) {
  return base::concat("POST ", path,
                      " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                      "Content-Length: 0\r\n",
                      protocol_headers, "\r\n");
}

std::string client_frame(int first_byte, std::string_view payload) {
  std::string frame(1, static_cast<char>(first_byte));
  REQUIRE(payload.size() < 126);
  frame.push_back(static_cast<char>(0x80 | payload.size()));
  frame += std::string(4, '\0');
  frame += payload;
  return frame;
}
// One server frame: its first byte and payload.
std::pair<int, std::string> read_frame(TestClient& client) {
  auto header = client.read_bytes(2);
  REQUIRE(header.size() == 2);
  std::size_t size = static_cast<unsigned char>(header[1]);
  if (size == 126) {
    auto more = client.read_bytes(2);
    size = static_cast<std::size_t>(static_cast<unsigned char>(more[0])) << 8 |
           static_cast<unsigned char>(more[1]);
  }
  return {static_cast<unsigned char>(header[0]), client.read_bytes(size)};
}

// What a SPDY client needs.
struct SpdyClient {
  http::SpdyHeaderWriter headers;
  std::string open(std::uint32_t id, std::vector<std::pair<std::string, std::string>> fields,
                   unsigned char flags = 0) {
    http::Headers list;
    for (auto& [name, value] : fields) list.add(name, value);
    std::string payload;
    http::append_spdy_number(payload, id);
    http::append_spdy_number(payload, 0);
    payload += std::string(2, '\0');
    payload += headers.write(list);
    return http::spdy_control_frame(http::SpdyType::syn_stream, flags, payload);
  }
  static std::string data(std::uint32_t id, std::string_view bytes, bool last = false) {
    return http::spdy_data_header(id, last, bytes.size()) + std::string(bytes);
  }
};

// Reads SPDY frames until the log holds `until`; "R1;" is a reply, "D1:text;" data, "F1;" a FIN.
std::string read_spdy(const std::function<std::string()>& more, std::string_view until) {
  http::SpdyReader reader;
  std::string log;
  while (log.find(until) == std::string::npos) {
    std::string bytes = more();
    if (bytes.empty()) return log + "EOF";
    std::string_view input = bytes;
    for (;;) {
      auto event = reader.next(input);
      if (event == http::SpdyReader::Event::need_more) break;
      if (event == http::SpdyReader::Event::error) return log + "ERROR";
      if (event == http::SpdyReader::Event::control) {
        auto& control = reader.control();
        auto id = std::to_string(http::spdy_number(control.payload) & 0x7fffffff);
        switch (control.type) {
          case http::SpdyType::syn_reply: log += "R" + id + ";"; break;
          case http::SpdyType::ping: log += "P" + id + ";"; break;
          case http::SpdyType::rst_stream: log += "X" + id + ";"; break;
          case http::SpdyType::goaway: log += "G;"; break;
          case http::SpdyType::window_update: log += "W" + id + ";"; break;
          default: log += "?";
        }
      } else {
        auto id = std::to_string(reader.data().stream);
        if (!reader.data().bytes.empty())
          log += "D" + id + ":" + std::string(reader.data().bytes) + ";";
        if (reader.data().is_last) log += "F" + id + ";";
      }
    }
  }
  return log;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("exec over WebSocket: channels, ping, the close signal of v5, normal closure") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  // Frames right behind the request are not lost.
  REQUIRE(client.send(websocket_request("/exec", "v5.channel.k8s.io, v4.channel.k8s.io") +
                      client_frame(0x82, std::string("\0hello", 6))));
  auto head = client.read_until("\r\n\r\n");
  CHECK(has(head, "HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(has(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK(has(head, "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"));
  CHECK(!has(head, "Content-Length"));
  CHECK(read_frame(client) == std::pair(0x82, std::string("\x01<hello>")));
  REQUIRE(client.send(client_frame(0x89, "beat")));
  CHECK(read_frame(client) == std::pair(0x8a, std::string("beat")));
  REQUIRE(client.send(client_frame(0x82, std::string("\xff\0", 2))));
  CHECK(read_frame(client) == std::pair(0x82, std::string("\x03"
                                                          "done v5.channel.k8s.io")));
  CHECK(read_frame(client) == std::pair(0x88, std::string("\x03\xe8")));
  CHECK(client.read_to_end().empty());
}

TEST_CASE("WebSocket v4 has no close signal, and a close from the client ends the session") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(websocket_request("/exec", "v4.channel.k8s.io")));
  CHECK(has(client.read_until("\r\n\r\n"), "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"));
  REQUIRE(client.send(client_frame(0x82, std::string("\xff\0", 2))));
  CHECK(read_frame(client) == std::pair(0x82, std::string("\x01<") + '\0' + ">"));
  REQUIRE(client.send(client_frame(0x88, std::string("\x03\xe8", 2))));
  CHECK(read_frame(client) == std::pair(0x88, std::string("\x03\xe8")));
  CHECK(client.read_to_end().empty());
}

TEST_CASE("older WebSocket protocols: none named, base64, and one stream without channels") {
  auto handler = make_handler();
  TestServer server(handler);
  auto ask = [&](std::string_view path, std::string_view protocol, const std::string& input) {
    TestClient client(server.port());
    std::string request = websocket_request(path, protocol);
    if (protocol.empty()) request.erase(request.rfind("Sec-WebSocket-Protocol"), 26);
    REQUIRE(client.send(request + input));
    auto head = client.read_until("\r\n\r\n");
    CHECK(has(head, "HTTP/1.1 101 "));
    CHECK(has(head, base::concat("Sec-WebSocket-Protocol: ", protocol)) != protocol.empty());
    return read_frame(client);
  };
  const std::string hello = client_frame(0x82, std::string("\0hello", 6));
  CHECK(ask("/older", "", hello) == std::pair(0x82, std::string("\x01<hello>")));
  CHECK(ask("/older", "channel.k8s.io", hello) == std::pair(0x82, std::string("\x01<hello>")));
  CHECK(ask("/older", "base64.channel.k8s.io", client_frame(0x81, "0aGVsbG8=")) ==
        std::pair(0x81, std::string("1PGhlbGxvPg==")));
  CHECK(ask("/log", "", {}) == std::pair(0x82, std::string("last")));
  CHECK(ask("/log", "base64.binary.k8s.io", {}) == std::pair(0x81, std::string("bGFzdA==")));
}

TEST_CASE("a session that its task closes ends the pending read and says goodbye once") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(websocket_request("/close", "v5.channel.k8s.io")));
  client.read_until("\r\n\r\n");
  CHECK(read_frame(client) == std::pair(0x82, std::string("\x01last")));
  CHECK(read_frame(client) == std::pair(0x88, std::string("\x03\xe8")));
  CHECK(client.read_to_end().empty());
}

TEST_CASE("an unmasked WebSocket frame is a protocol error") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(websocket_request("/exec", "v5.channel.k8s.io") + "\x82\x02hi"));
  client.read_until("\r\n\r\n");
  CHECK(read_frame(client) == std::pair(0x88, std::string("\x03\xea")));
  CHECK(client.read_to_end().empty());
}

TEST_CASE("an upgrade to what the server does not know passes bytes as they come") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(
      client.send("GET /raw HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n"));
  auto head = client.read_until("\r\n\r\n");
  CHECK(has(head, "HTTP/1.1 101 "));
  CHECK(has(head, "Upgrade: shouting\r\n"));
  CHECK_FALSE(has(head, "Content-Length"));
  const std::string binary("\0\xff\r\n", 4);
  REQUIRE(client.send(binary));
  CHECK(client.read_bytes(5) == binary + "!");
  REQUIRE(client.send("end"));
  CHECK(client.read_to_end() == "end!");
}

TEST_CASE("upgrades that cannot be are refused with a reason") {
  auto handler = make_handler();
  TestServer server(handler);
  auto ask = [&](const std::string& request) {
    TestClient client(server.port());
    REQUIRE(client.send(request));
    return client.read_response();
  };
  auto plain = ask("GET /exec HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(has(plain, "HTTP/1.1 400 "));
  CHECK(has(plain, "missing upgrade headers in request"));
  auto unknown = ask(websocket_request("/exec", "v9.channel.k8s.io"));
  CHECK(has(unknown,
            "client supports [v9.channel.k8s.io], server accepts [v5.channel.k8s.io "
            "v4.channel.k8s.io]"));
  auto old = websocket_request("/exec", "v5.channel.k8s.io");
  old.replace(old.find("Version: 13"), 11, "Version: 12");
  CHECK(has(ask(old), "HTTP/1.1 426 "));
  auto spdy = ask(spdy_request("/exec", "X-Stream-Protocol-Version: v9.channel.k8s.io\r\n"));
  CHECK(has(spdy, "HTTP/1.1 403 "));
  CHECK(has(spdy, "X-Accepted-Stream-Protocol-Versions: v5.channel.k8s.io\r\n"));
  CHECK(has(ask(spdy_request("/exec", "")), "HTTP/1.1 400 "));
}

TEST_CASE("exec over SPDY: streams by type, ping, FIN of stdin") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  SpdyClient spdy;
  // As client-go sends them: one header per protocol.
  REQUIRE(client.send(spdy_request("/exec?error",
                                   "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
                                   "X-Stream-Protocol-Version: v3.channel.k8s.io\r\n")));
  auto head = client.read_until("\r\n\r\n");
  CHECK(has(head, "HTTP/1.1 101 "));
  CHECK(has(head, "Upgrade: SPDY/3.1\r\n"));
  CHECK(has(head, "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"));
  auto more = [&] { return client.read_bytes(1); };
  std::string opens = spdy.open(1, {{"streamType", "error"}});
  opens += spdy.open(3, {{"streamType", "stdin"}});
  REQUIRE(client.send(opens + SpdyClient::data(3, "early")));
  CHECK(read_spdy(more, "R3;") == "R1;R3;");
  // The echo waited for this stream.
  REQUIRE(client.send(spdy.open(5, {{"streamType", "stdout"}})));
  CHECK(read_spdy(more, "D5") == "R5;D5:<;");
  CHECK(client.read_bytes(6) == "early>");
  REQUIRE(
      client.send(http::spdy_control_frame(http::SpdyType::ping, 0, std::string("\0\0\0\7", 4))));
  CHECK(read_spdy(more, "P7;") == "P7;");
  // A second stdin and an unknown type are refused; the session goes on.
  opens = spdy.open(7, {{"streamType", "stdin"}});
  opens += spdy.open(9, {{"x", "y"}});
  REQUIRE(client.send(opens));
  CHECK(read_spdy(more, "X9;") == "X7;X9;");
  REQUIRE(client.send(SpdyClient::data(3, "", true)));
  auto end = read_spdy(more, "G;");
  CHECK(has(end, "D1:d;D1:o;D1:n;D1:e;D1: ;"));
  CHECK(has(end, "F1;"));
  CHECK(has(end, "F5;"));
  client.shut_down_sending();
  CHECK(client.read_to_end().empty());
}

TEST_CASE("port-forward over SPDY reports each stream with its headers") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  SpdyClient spdy;
  std::string opens =
      spdy.open(1, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "0"}}, http::kSpdyFin);
  opens += spdy.open(3, {{"streamtype", "data"}, {"port", "80"}, {"requestid", "0"}});
  REQUIRE(client.send(
      spdy_request("/forward", "X-Stream-Protocol-Version: portforward.k8s.io\r\n") + opens));
  client.read_until("\r\n\r\n");
  std::string bytes;
  auto more = [&] { return client.read_bytes(1); };
  auto log = read_spdy(more, "F1;");
  CHECK(has(log, "R1;"));
  REQUIRE(client.send(SpdyClient::data(3, "payload") + SpdyClient::data(3, "", true)));
  log += read_spdy(more, "F3;");
  CHECK(has(log, "R3;"));
  CHECK(has(log, "F3;"));
  // After both sides have closed it, the stream is gone and its id is not confused with another.
  REQUIRE(client.send(SpdyClient::data(3, "late") +
                      spdy.open(5, {{"streamtype", "data"}, {"port", "81"}})));
  log = read_spdy(more, "R5;");
  CHECK(has(log, "R5;"));
}

TEST_CASE("port-forward through the WebSocket tunnel") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  SpdyClient spdy;
  REQUIRE(client.send(websocket_request("/forward", "SPDY/3.1+portforward.k8s.io")));
  auto head = client.read_until("\r\n\r\n");
  CHECK(has(head, "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n"));
  auto more = [&] {
    auto frame = read_frame(client);
    CHECK(frame.first == 0x82);
    return frame.second;
  };
  auto open = spdy.open(1, {{"streamtype", "data"}, {"port", "80"}});
  // A SPDY frame may be split over messages anywhere.
  REQUIRE(client.send(client_frame(0x82, open.substr(0, 5)) + client_frame(0x82, open.substr(5))));
  CHECK(read_spdy(more, "D1:") == "R1;D1:port 80 type data:;");
  REQUIRE(client.send(client_frame(0x82, SpdyClient::data(1, "payload"))));
  CHECK(read_spdy(more, "D1:") == "D1:payload;");
  REQUIRE(client.send(client_frame(0x89, "")));
  CHECK(read_frame(client).first == 0x8a);
  REQUIRE(client.send(client_frame(0x88, "")));
  auto last = read_frame(client);
  CHECK(last.first == 0x88);
}

TEST_CASE("a SPDY peer that uses windows is held to them and gets its own back") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  SpdyClient spdy;
  std::string opens = spdy.open(1, {{"streamType", "stdin"}});
  opens += spdy.open(3, {{"streamType", "stdout"}});
  REQUIRE(client.send(spdy_request("/exec", "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n") +
                      opens + http::spdy_window_update(0, 1)));
  client.read_until("\r\n\r\n");
  auto more = [&] { return client.read_bytes(1); };
  CHECK(read_spdy(more, "R3;") == "R1;R3;");
  REQUIRE(client.send(SpdyClient::data(1, "abc")));
  auto log = read_spdy(more, "D3:>");
  CHECK(has(log, "W0;W1;"));
  // 65,536 bytes and one more; the rest waits.
  std::string block(30'000, 'x');
  REQUIRE(client.send(SpdyClient::data(1, block) + SpdyClient::data(1, block) +
                      SpdyClient::data(1, block) + SpdyClient::data(1, "tail")));
  std::string got;
  http::SpdyReader reader;
  std::size_t data_bytes = 0;
  auto read_more = [&](std::size_t until) {
    while (data_bytes < until) {
      auto bytes = client.read_bytes(1);
      REQUIRE(!bytes.empty());
      std::string_view input = bytes;
      while (reader.next(input) == http::SpdyReader::Event::data)
        data_bytes += reader.data().bytes.size();
    }
  };
  read_more(90'006);
  // The window is below zero now; "<tail>" comes only after more window.
  REQUIRE(client.send(http::spdy_window_update(0, 100'000) + http::spdy_window_update(3, 100'000)));
  read_more(90'012);
  CHECK(data_bytes == 90'012);
}

TEST_CASE("malformed SPDY ends the connection") {
  auto handler = make_handler();
  TestServer server(handler);
  TestClient client(server.port());
  REQUIRE(client.send(spdy_request("/exec", "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n") +
                      std::string(64, '\xff')));
  client.read_until("\r\n\r\n");
  auto log = read_spdy([&] { return client.read_bytes(1); }, "G;");
  CHECK(log == "G;");
  client.read_to_end();
  CHECK(server.server().counters().rejected == 1);
}
