#include "store/record_format.h"

#include "store/checksum.h"
#include "store/group.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::store;

TEST_CASE("CRC-32C has the values of RFC 3720") {
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
}

TEST_CASE("a record is read back, and no changed bit passes") {
  std::string record;
  encode_record("/a/b", 42, Durability::relaxed, "some value", &record);
  auto value = decode_record("/a/b", 42, record);
  REQUIRE(value);
  CHECK(*value == "some value");
  CHECK(decode_record("/a/c", 42, record).code() == base::Code::data_loss);
  CHECK(decode_record("/a/b", 43, record).code() == base::Code::data_loss);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK(decode_record("/a/b", 42, damaged).code() == base::Code::data_loss);
  }
  for (std::size_t length = 0; length < record.size(); ++length)
    CHECK(decode_record("/a/b", 42, record.substr(0, length)).code() == base::Code::data_loss);
}

TEST_CASE("the kind of a key is its first two parts") {
  CHECK(kind_prefix_of("/core/pods/default/web") == "/core/pods/");
  CHECK(kind_prefix_of("/core/nodes/") == "/core/nodes/");
  CHECK(kind_prefix_of("/core") == "/core");
  CHECK(kind_prefix_of("") == "");
}
