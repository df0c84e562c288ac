#include "http/framer.h"
#include "http/limits.h"
#include "http/sessions/spdy_codec.h"
#include "http/sessions/websocket_codec.h"

#include <catch2/catch.hpp>

#include <zlib.h>

using namespace skiff;
using namespace skiff::http;

namespace {

std::string masked(int first_byte, std::string_view payload, bool with_mask = true) {
  std::string frame(1, static_cast<char>(first_byte));
  int mask_bit = with_mask ? 0x80 : 0;
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(mask_bit | static_cast<int>(payload.size())));
  } else if (payload.size() < 65536) {
    frame.push_back(static_cast<char>(mask_bit | 126));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size() & 255));
  } else {
    frame.push_back(static_cast<char>(mask_bit | 127));
    for (int shift = 56; shift >= 0; shift -= 8)
      frame.push_back(static_cast<char>(payload.size() >> shift & 255));
  }
  const std::string mask = "\x11\x22\x33\x44";
  if (with_mask) frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    frame.push_back(static_cast<char>(payload[i] ^ (with_mask ? mask[i & 3] : 0)));
  return frame;
}

using Event = WebSocketReader::Event;

// The events of `bytes`, given in pieces of `step`.
std::vector<std::pair<Event, std::string>> read_all(const std::string& bytes, std::size_t step) {
  WebSocketReader reader;
  std::vector<std::pair<Event, std::string>> events;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = std::string_view(bytes).substr(at, step);
    for (;;) {
      auto event = reader.next(piece);
      if (event == Event::need_more) break;
      events.emplace_back(event, reader.take_payload());
      if (event == Event::error || event == Event::close) {
        events.back().second = std::to_string(reader.close_code());
        return events;
      }
    }
  }
  return events;
}

}  // namespace

TEST_CASE("the example of RFC 6455 gives its accept key") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("WebSocket messages are joined from fragments around control frames") {
  std::string bytes = masked(0x02, "ab") + masked(0x89, "ping") + masked(0x00, "cd") +
                      masked(0x80, std::string(70'000, 'e')) + masked(0x81, "text") +
                      masked(0x8a, "") + masked(0x88, std::string("\x03\xe8", 2) + "bye");
  std::vector<std::pair<Event, std::string>> expected = {
      {Event::ping, "ping"},
      {Event::message, "abcd" + std::string(70'000, 'e')},
      {Event::message, "text"},
      {Event::pong, ""},
      {Event::close, "1000"}};
  for (std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()})
    CHECK(read_all(bytes, step) == expected);
}

TEST_CASE("WebSocket frames against the rules end the connection with the right code") {
  struct Case {
    const char* what;
    std::string bytes;
    const char* code;
  };
  const std::vector<Case> cases = {
      {"unmasked", masked(0x82, "a", false), "1002"},
      {"reserved bit", masked(0xc2, "a"), "1002"},
      {"unknown opcode", masked(0x83, "a"), "1002"},
      {"continuation of nothing", masked(0x80, "a"), "1002"},
      {"message inside of a message", masked(0x02, "a") + masked(0x82, "b"), "1002"},
      {"fragmented ping", masked(0x09, "a"), "1002"},
      {"long ping", masked(0x89, std::string(126, 'a')), "1002"},
      {"close with one byte", masked(0x88, "a"), "1002"},
      {"close with a code that is not sent", masked(0x88, std::string("\x03\xee", 2)), "1002"},
      {"length not minimal", std::string("\x82\xfe\x00\x05\x00\x00\x00\x00hello", 13), "1002"},
      {"too big", masked(0x82, std::string(kWebSocketMessageBytesMax + 1, 'a')), "1009"},
      {"too big in fragments",
       masked(0x02, std::string(kWebSocketMessageBytesMax, 'a')) + masked(0x80, "a"), "1009"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    auto events = read_all(one.bytes, 1000);
    REQUIRE(!events.empty());
    CHECK(events.back().first == Event::error);
    CHECK(events.back().second == one.code);
  }
}

TEST_CASE("WebSocket headers use the shortest length") {
  CHECK(websocket_frame_header(WebSocketOpcode::binary, 125) == "\x82\x7d");
  CHECK(websocket_frame_header(WebSocketOpcode::binary, 126) == std::string("\x82\x7e\x00\x7e", 4));
  CHECK(websocket_frame_header(WebSocketOpcode::pong, 65536) ==
        std::string("\x8a\x7f\0\0\0\0\0\x01\0\0", 10));
}

TEST_CASE("SPDY header blocks survive the way through both directions") {
  SpdyHeaderWriter writer;
  SpdyHeaderReader reader;
  for (int i = 0; i < 3; ++i) {
    Headers headers;
    headers.add("streamType", "stdout");
    headers.add("port", std::to_string(8080 + i));
    auto block = writer.write(headers);
    auto got = reader.read(block);
    REQUIRE(got);
    CHECK(got->get("streamType") == "stdout");
    CHECK(got->get("port") == std::to_string(8080 + i));
    CHECK(got->fields().front().first == "streamtype");
  }
  // The dictionary of the specification has this checksum; it is in the zlib header.
  SpdyHeaderWriter fresh;
  CHECK(fresh.write(Headers()).substr(2, 4) == "\xe3\xc6\xa7\xc2");
}

TEST_CASE("malformed and oversized SPDY header blocks are errors") {
  auto compressed = [](std::string_view plain) {
    // A stream without the dictionary is legal zlib and must not be trusted further.
    std::string out(compressBound(plain.size()) + 100, '\0');
    z_stream stream{};
    deflateInit(&stream, 9);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
  };
  const std::vector<std::string> blocks = {
      "",
      "not zlib at all",
      compressed(""),
      compressed(std::string("\xff\xff\xff\xff", 4)),
      compressed(std::string("\0\0\0\1\0\0\0\4ab", 10)),
      compressed(std::string("\0\0\0\1\0\0\0\0\0\0\0\0", 12)),
      compressed(std::string("\0\0\0\0x", 5)),
      compressed(std::string(10'000'000, '\0')),
  };
  for (const auto& block : blocks) {
    SpdyHeaderReader reader;
    CHECK(!reader.read(block));
  }
}

TEST_CASE("SPDY frames are cut the same whatever the pieces") {
  std::string bytes = spdy_control_frame(SpdyType::ping, 0, std::string("\0\0\0\1", 4)) +
                      spdy_data_header(1, false, 5) + "hello" + spdy_data_header(1, true, 0) +
                      spdy_data_header(3, true, 3) + "end" + spdy_rst_stream(3, kSpdyCancel);
  for (std::size_t step : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
    SpdyReader reader;
    std::string log;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      std::string_view piece = std::string_view(bytes).substr(at, step);
      for (;;) {
        auto event = reader.next(piece);
        if (event == SpdyReader::Event::need_more) break;
        REQUIRE(event != SpdyReader::Event::error);
        if (event == SpdyReader::Event::control) {
          log += "c" + std::to_string(static_cast<int>(reader.control().type)) + ";";
        } else {
          log += std::string(reader.data().bytes);
          if (reader.data().is_last) log += "|" + std::to_string(reader.data().stream) + ";";
        }
      }
    }
    CHECK(log == "c6;hello|1;end|3;c3;");
  }
}

TEST_CASE("SPDY frames of another version or over the limit are errors") {
  SpdyReader reader;
  std::string bytes("\x80\x02\0\6\0\0\0\4\0\0\0\1", 12);
  std::string_view input = bytes;
  CHECK(reader.next(input) == SpdyReader::Event::error);
  SpdyReader large;
  bytes = std::string("\x80\x03\0\1\0\xff\xff\xff", 8);
  input = bytes;
  CHECK(large.next(input) == SpdyReader::Event::error);
}

TEST_CASE("response heads decide how the body ends") {
  auto parse = [](std::string_view text, std::string_view method) {
    ResponseHead head;
    auto error = parse_response_head(text, method, head);
    REQUIRE(!error);
    return head;
  };
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET").body == BodyKind::length);
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET").body == BodyKind::none);
  CHECK(parse("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "GET").body ==
        BodyKind::chunked);
  CHECK(parse("HTTP/1.1 200 OK\r\n\r\n", "GET").body == BodyKind::until_close);
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD").body == BodyKind::none);
  CHECK(parse("HTTP/1.1 204 No Content\r\n\r\n", "GET").body == BodyKind::none);
  ResponseHead head;
  CHECK(parse_response_head("HTTP/1.1 20x OK\r\n\r\n", "GET", head));
  CHECK(parse_response_head("ICY 200 OK\r\n\r\n", "GET", head));
}
