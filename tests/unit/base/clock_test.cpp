#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

using namespace skiff::base;

TEST_CASE("RFC 3339 times survive a round trip") {
  auto t = parse_rfc3339("2026-02-28T23:59:59.123456789+01:30");
  REQUIRE(t);
  CHECK(format_rfc3339(*t) == "2026-02-28T22:29:59Z");
  CHECK(format_rfc3339_micro(*t) == "2026-02-28T22:29:59.123456Z");
  CHECK(format_rfc3339_nano(*t) == "2026-02-28T22:29:59.123456789Z");
  CHECK(parse_rfc3339("1969-12-31T23:59:59Z")->unix_ns == -1'000'000'000);
}

TEST_CASE("what is not RFC 3339 is refused") {
  for (auto text : {"", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00",
                    "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z", "9999999-01-01T00:00:00Z"})
    CHECK_FALSE(parse_rfc3339(text).is_ok());
}

TEST_CASE("uuids are version 4 and name suffixes have no vowels") {
  auto random = seeded_random(1);
  std::string uuid = make_uuid(*random);
  REQUIRE(uuid.size() == 36);
  CHECK(uuid[14] == '4');
  CHECK(std::string_view("89ab").find(uuid[19]) != std::string_view::npos);
  CHECK(make_name_suffix(*random, 5).find_first_of("aeiou013") == std::string::npos);
}

TEST_CASE("strings") {
  CHECK(concat("a", 1, 'c', std::string("d")) == "a1cd");
  CHECK(quote("a\"b\n") == "\"a\\\"b\\n\"");
  CHECK(split("a,,b", ',').size() == 3);
  CHECK(trim("  x \n") == "x");
  CHECK(parse_int("12x") == std::nullopt);
  CHECK(parse_int("-12") == -12);
}
