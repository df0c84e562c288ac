#include <skiff/codec/protobuf.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::codec;

TEST_CASE("protobuf fields survive a round trip") {
  std::string text;
  write_protobuf_integer(1, 300, text);
  write_protobuf_integer(2, -1, text);
  write_protobuf_double(3, 1.5, text);
  write_protobuf_bytes(1000, "abc", text);
  CHECK(text.substr(0, 3) == "\x08\xac\x02");
  ProtobufReader reader(text);
  auto first = reader.next();
  REQUIRE(first.is_ok());
  CHECK(first->number == 1);
  CHECK(first->value == 300);
  CHECK(static_cast<std::int64_t>(reader.next()->value) == -1);
  auto third = reader.next();
  CHECK(third->wire == ProtobufField::Wire::fixed64);
  CHECK(third->value == 0x3ff8000000000000);
  auto fourth = reader.next();
  CHECK(fourth->number == 1000);
  CHECK(fourth->bytes == "abc");
  CHECK(reader.at_end());
}

TEST_CASE("malformed protobuf is refused") {
  const std::string_view texts[] = {
      "\x08",  // no value
      "\x0a\x05"
      "ab",                                            // shorter than it says
      std::string_view("\x00\x01", 2),                 // number 0
      "\x0b",                                          // a group
      "\x0f",                                          // no such wire type
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",  // 65 bits
      "\x09\x01\x02",                                  // fixed64 cut
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  // a size beyond everything
  };
  for (std::string_view text : texts) {
    ProtobufReader reader(text);
    CHECK(reader.next().code() == base::Code::invalid_argument);
  }
}
