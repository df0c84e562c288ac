#include <skiff/codec/base64.h>
#include <skiff/codec/json.h>

#include <catch2/catch.hpp>

using namespace skiff::codec;

TEST_CASE("JSON survives a round trip in its order") {
  const std::string text =
      R"({"b":1,"a":[true,null,-1.5,"x\"\n"],"c":{"k":9223372036854775807},"e":1e+30})";
  auto json = parse_json(text);
  REQUIRE(json);
  CHECK(write_json(*json) == text);
  CHECK((*json)["b"].as_int() == 1);
  CHECK(json->at({"c", "k"}).as_int() == INT64_MAX);
  CHECK(json->at({"c", "missing", "deeper"}).is_null());
}

TEST_CASE("malformed, deep and large texts are refused") {
  for (auto text : {"", "{", "[1,]", "{\"a\":1}x", "nul", "\"\\ud800\"", "01", "{'a':1}"})
    CHECK(parse_json(text).code() == skiff::base::Code::invalid_argument);
  JsonParseOptions options;
  CHECK(parse_json(std::string(600, '['), options).code() == skiff::base::Code::too_large);
  options.limits.bytes_max = 4;
  CHECK(parse_json("[1,2]", options).code() == skiff::base::Code::too_large);
  options.limits = {};
  options.limits.values_max = 2;
  CHECK(parse_json("[1,2]", options).code() == skiff::base::Code::too_large);
}

TEST_CASE("an item that is not there is null, also of what is no list") {
  const Json list = Json::array({Json(1), Json("a")});
  CHECK(list.item(0).as_int() == 1);
  CHECK(list.item(1).as_string() == "a");
  CHECK(list.item(2).is_null());
  const Json members = Json::object({{"a", 1}, {"b", 2}}), text("ab"), nothing;
  for (const Json* other : {&members, &text, &nothing}) CHECK(other->item(0).is_null());
}

TEST_CASE("repeated members are named, and the last one wins") {
  std::vector<std::string> duplicates;
  JsonParseOptions options;
  options.duplicates = &duplicates;
  auto json = parse_json(R"({"spec":{"list":[{"a":1,"a":2}]},"x":1})", options);
  REQUIRE(json);
  CHECK(duplicates == std::vector<std::string>{"spec.list[0].a"});
  CHECK(json->at({"spec", "list"}).items()[0]["a"].as_int() == 2);
}

TEST_CASE("a repeated member keeps the place of the first, at any depth") {
  std::vector<std::string> duplicates;
  JsonParseOptions options;
  options.duplicates = &duplicates;
  auto json = parse_json(R"({"a":1,"b":[[0,{"c":1,"d":2,"c":{"e":1,"e":2}}],3],"a":2})", options);
  REQUIRE(json);
  CHECK(duplicates == std::vector<std::string>{"b[0][1].c.e", "b[0][1].c", "a"});
  CHECK(write_json(*json) == R"({"a":2,"b":[[0,{"c":{"e":2},"d":2}],3]})");
}

TEST_CASE("strings of any length are read to their end") {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string plain(before, 'x');
    const std::string text = "[\"" + plain + "\\\"\\\\" + plain + "\",\"" + plain + "\"]";
    auto json = parse_json(text);
    REQUIRE(json);
    CHECK(json->items()[0].as_string() == plain + "\"\\" + plain);
    CHECK(write_json(*json) == text);
    CHECK_FALSE(parse_json("\"" + plain));
    CHECK_FALSE(parse_json("\"" + plain + "\n\""));
  }
}

TEST_CASE("numbers are whole where 64 bits hold them, else the nearest double") {
  auto read = [](std::string text) { return parse_json("[" + text + "]"); };
  auto number = [&](std::string text) { return read(text)->items()[0]; };
  CHECK(number("-9223372036854775808").as_int() == INT64_MIN);
  CHECK(number("9223372036854775807").as_int() == INT64_MAX);
  CHECK(number("9223372036854775808").as_double() == 9223372036854775808.0);
  CHECK(number("-0").is_int());
  for (const char* zero : {"0e99", "0E+300", "0.0e99", "-0e22", "0.000e-99", "1e-400"})
    CHECK(number(zero).as_double() == 0.0);
  CHECK(number("5e-324").as_double() == 5e-324);
  CHECK(number("1.7976931348623157e308").as_double() == 1.7976931348623157e308);
  CHECK(number("9007199254740993.0").as_double() == 9007199254740992.0);
  for (const char* large : {"1.8e308", "-18e307", "1e309"}) {
    auto refused = read(large);
    REQUIRE_FALSE(refused.is_ok());
    CHECK(refused.status().message().find("too big") != std::string::npos);
  }
}

TEST_CASE("a zero byte is not the end of a text") {
  CHECK_FALSE(parse_json(std::string_view("{}\0x", 4)));
  CHECK_FALSE(parse_json(std::string_view("{}\0", 3)));
  CHECK_FALSE(parse_json(std::string_view("\"a\0b\"", 5)));
}

TEST_CASE("an object of many members keeps one of each") {
  std::string text = "{";
  for (int i = 0; i < 2000; ++i)
    text += "\"k" + std::to_string(i % 1000) + "\":" + std::to_string(i) + ",";
  text.back() = '}';
  auto json = parse_json(text);
  REQUIRE(json);
  CHECK(json->size() == 1000);
  CHECK((*json)["k999"].as_int() == 1999);
}

TEST_CASE("strings that are not UTF-8 are repaired") {
  std::string out;
  write_json_string("a\xff\xc0\x80\xed\xa0\x80z", out);
  CHECK(out == "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

TEST_CASE("objects compare without order") {
  CHECK(*parse_json(R"({"a":1,"b":[2]})") == *parse_json(R"({"b":[2.0],"a":1})"));
  CHECK(*parse_json(R"({"a":1})") != *parse_json(R"({"a":"1"})"));
}

TEST_CASE("base64 in both alphabets") {
  CHECK(base64_encode("ab\xff\xfe") == "YWL//g==");
  CHECK(*base64_decode("YWL//g==") == "ab\xff\xfe");
  CHECK(base64url_encode("ab\xff\xfe") == "YWL__g");
  CHECK(*base64url_decode("YWL__g") == "ab\xff\xfe");
  for (auto bad : {"YWL//g", "YWL//g=", "Y", "YW=L", "Y*==", "===="})
    CHECK_FALSE(base64_decode(bad).is_ok());
}
