#include "client/limits.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>
#include <skiff/client/byte_delta.h>
#include <skiff/client/watch_frames.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::client;

namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    out += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
  }
  return out;
}

SubscribeFrame subscribe_frame() {
  SubscribeFrame frame;
  frame.revision = 0x0102030405060708;
  frame.takes_deltas = true;
  frame.group = "apps";
  frame.version = "v1";
  frame.resource = "pods";
  frame.namespace_name = "ns";
  frame.label_selector = "a=b";
  frame.field_selector = "";
  return frame;
}

base::Result<std::string> there_and_back(std::string_view base, std::string_view target) {
  return apply_delta(base, make_delta(base, target), target.size(), delta_checksum(target));
}

}  // namespace

// These bytes are what other releases send and expect. They do not change; what is new comes after
// the fields or as a frame of a new kind.
TEST_CASE("watch frames: the bytes on the wire") {
  CHECK(hex(encode_watch_frame(subscribe_frame())) ==
        "0101"
        "01"
        "0102030405060708"
        "000461707073"
        "00027631"
        "0004706f6473"
        "00026e73"
        "0003613d62"
        "0000");
  CHECK(hex(encode_watch_frame(UnsubscribeFrame())) == "0102");
  CHECK(hex(encode_watch_frame(StartedFrame())) == "0110");
  CHECK(hex(encode_watch_frame(EventFrame{WatchEvent::Type::added, 7, "{}"})) ==
        "01110000000000000000077b7d");
  CHECK(hex(encode_watch_frame(EventFrame{WatchEvent::Type::removed, 7, ""})) ==
        "0111020000000000000007");
  DeltaFrame delta{WatchEvent::Type::modified, 258, 300, 0xa0b0c0d0, "ns/a", "xyz"};
  CHECK(hex(encode_watch_frame(delta)) ==
        "0112"
        "01"
        "0000000000000102"
        "0000012c"
        "a0b0c0d0"
        "00046e732f61"
        "78797a");
  CHECK(hex(encode_watch_frame(EndedFrame{"{}"})) == "01137b7d");
  CHECK(hex(encode_watch_frame(PositionFrame{9})) == "01140000000000000009");
  CHECK(hex(make_delta("0123456789abcdefghij", "0123456789ABCDEFghij")) ==
        "000a0641424344454610"
        "0400");
  CHECK(delta_checksum("skiff") == 0x4b5a6633);
}

TEST_CASE("watch frames: what is written is read") {
  auto text = encode_watch_frame(subscribe_frame());
  auto decoded = decode_watch_frame(text);
  REQUIRE(decoded);
  const auto& frame = std::get<SubscribeFrame>(*decoded);
  CHECK(frame.takes_deltas);
  CHECK(frame.revision == 0x0102030405060708);
  CHECK(frame.group == "apps");
  CHECK(frame.label_selector == "a=b");
  CHECK(frame.field_selector.empty());
  auto delta_text = unhex("01120100000000000001020000012ca0b0c0d000046e732f6178797a");
  auto delta = decode_watch_frame(delta_text);
  REQUIRE(delta);
  CHECK(std::get<DeltaFrame>(*delta).key == "ns/a");
  CHECK(std::get<DeltaFrame>(*delta).steps == "xyz");
  CHECK(std::get<DeltaFrame>(*delta).checksum == 0xa0b0c0d0);
  auto ended_text = unhex("01137b7d");
  CHECK(std::get<EndedFrame>(*decode_watch_frame(ended_text)).status == "{}");
}

TEST_CASE("watch frames: a newer release may add kinds and fields") {
  CHECK(std::holds_alternative<UnknownFrame>(*decode_watch_frame(unhex("017f0102"))));
  CHECK(std::holds_alternative<UnknownFrame>(*decode_watch_frame(unhex("0100"))));
  auto longer = encode_watch_frame(PositionFrame{9}) + "more";
  CHECK(std::get<PositionFrame>(*decode_watch_frame(longer)).revision == 9);
  longer = encode_watch_frame(subscribe_frame()) + "more";
  CHECK(std::get<SubscribeFrame>(*decode_watch_frame(longer)).resource == "pods");
  CHECK(decode_watch_frame(unhex("0210")).code() == base::Code::unimplemented);
}

TEST_CASE("watch frames: what is cut short is refused, wherever it is cut") {
  for (const auto& text :
       {encode_watch_frame(subscribe_frame()), encode_watch_frame(PositionFrame{9}),
        encode_watch_frame(EventFrame{WatchEvent::Type::added, 7, ""}),
        encode_watch_frame(DeltaFrame{WatchEvent::Type::modified, 1, 2, 3, "a", ""})}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      CAPTURE(hex(text), size);
      CHECK(decode_watch_frame(text.substr(0, size)).code() == base::Code::invalid_argument);
    }
    CHECK(decode_watch_frame(text));
  }
  CHECK(decode_watch_frame(unhex("0111030000000000000007")).code() == base::Code::invalid_argument);
}

TEST_CASE("byte delta: any version can be made from any other") {
  std::string a = "the quick brown fox jumps over the lazy dog, and then the dog sleeps";
  for (std::string b : {std::string(), a, a + "!", "!" + a, std::string("x"),
                        std::string("the quick brown cat jumps over the lazy dog, and then sleeps"),
                        std::string(5000, 'a'), a + a, a.substr(20), a.substr(0, 20)}) {
    CAPTURE(b);
    auto forth = there_and_back(a, b);
    REQUIRE(forth);
    CHECK(*forth == b);
    auto back = there_and_back(b, a);
    REQUIRE(back);
    CHECK(*back == a);
    CHECK(there_and_back("", b));
  }
}

TEST_CASE("byte delta: random edits are small") {
  auto random = base::seeded_random(5);
  std::string base;
  for (int i = 0; i < 400; ++i) base += base::concat("\"key-", random->below(100000), "\":true,");
  for (int round = 0; round < 200; ++round) {
    std::string target = base;
    const auto edits = random->below(4);
    for (std::uint64_t i = 0; i < edits; ++i) {
      auto at = static_cast<std::size_t>(random->below(target.size()));
      auto size = static_cast<std::size_t>(random->below(30));
      target.replace(at, size, base::concat("<", random->below(1000), ">"));
    }
    auto delta = make_delta(base, target);
    auto made = apply_delta(base, delta, target.size(), delta_checksum(target));
    REQUIRE(made);
    CHECK(*made == target);
    CHECK(delta.size() <= 12 + edits * 60);
  }
}

TEST_CASE("byte delta: steps that leave the base or miss the size are refused") {
  std::string base = "0123456789";
  auto sum = delta_checksum(base);
  auto refused = [&](std::string_view delta_hex, std::size_t size, std::uint32_t checksum) {
    return apply_delta(base, unhex(delta_hex), size, checksum).code() ==
           base::Code::invalid_argument;
  };
  CHECK_FALSE(refused("000a00", 10, sum));
  CHECK(refused("000a00", 10, sum + 1));
  CHECK(refused("000a00", 9, sum));
  CHECK(refused("000a00", 11, sum));
  CHECK(refused("000b00", 11, sum));
  CHECK(refused("010a00", 10, sum));
  CHECK(refused("0b0000", 0, delta_checksum("")));
  CHECK(refused("ffffffff0f0100", 1, sum));
  CHECK(refused("00ffffffff0f00", 1, sum));
  CHECK(refused("0000ffffffff0f", 1, sum));
  CHECK(refused("ffffffffff0f", 1, sum));
  CHECK(refused("00", 0, delta_checksum("")));
  CHECK(refused("000a00", kObjectBytesMax + 1, sum));
  CHECK(refused("", 10, sum));
}
