#include <skiff/codec/yaml.h>

#include <catch2/catch.hpp>

using namespace skiff::codec;

TEST_CASE("plain scalars mean what Go's YAML makes of them") {
  auto yaml = parse_yaml(
      "a: yes\nb: 010\nc: 0x1F\nd: 1_000\ne: 1.5\nf: ~\ng: '1'\nh: 2026-01-01\n"
      "i: 1e3\nj: \"yes\"\nk:\nl: -7\nm: 1.2.3\nr: 0o17\no: .5\np: 99999999999999999999\n");
  REQUIRE(yaml);
  CHECK(write_json(*yaml) ==
        R"({"a":true,"b":8,"c":31,"d":1000,"e":1.5,"f":null,"g":"1","h":"2026-01-01",)"
        R"("i":1000,"j":"yes","k":null,"l":-7,"m":"1.2.3","r":15,"o":0.5,"p":1e+20})");
}

TEST_CASE("a manifest stream becomes its documents") {
  auto documents = parse_yaml_stream(
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    args: [x, \"y\"]\n"
      "---\n---\nkind: Service\n...\n");
  REQUIRE(documents);
  REQUIRE(documents->size() == 2);
  CHECK(
      write_json((*documents)[0]) ==
      R"({"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","args":["x","y"]}]}})");
}

TEST_CASE("block scalars, merges and aliases") {
  auto yaml = parse_yaml("base: &b {x: 1, z: 2}\nmine:\n  <<: *b\n  z: 3\ntext: |\n  a\n  b\n");
  REQUIRE(yaml);
  CHECK(write_json((*yaml)["mine"]) == R"({"z":3,"x":1})");
  CHECK((*yaml)["text"].as_string() == "a\nb\n");
}

TEST_CASE("malformed YAML is refused with its place") {
  auto bad = parse_yaml("a: [1, 2\nb: 3\n");
  REQUIRE_FALSE(bad.is_ok());
  CHECK(bad.code() == skiff::base::Code::invalid_argument);
  CHECK(std::string(bad.status().message()).find("line 2") != std::string::npos);
  CHECK_FALSE(parse_yaml("a: 1\n---\nb: 2\n").is_ok());
  CHECK_FALSE(parse_yaml("? [a]\n: 1\n").is_ok());
}

TEST_CASE("an alias bomb is too large, not a fire") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string p = "*a" + std::to_string(i - 1), list = p;
    for (int k = 1; k < 10; ++k) list += "," + p;
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + list + "]\n";
  }
  CHECK(parse_yaml(bomb).code() == skiff::base::Code::too_large);
}

TEST_CASE("repeated keys are named") {
  std::vector<std::string> duplicates;
  JsonParseOptions options;
  options.duplicates = &duplicates;
  REQUIRE(parse_yaml("spec:\n  a: 1\n  a: 2\n", options));
  CHECK(duplicates == std::vector<std::string>{"spec.a"});
}

TEST_CASE("written YAML reads back as the same value") {
  auto json = parse_json(
      R"({"a":"yes","b":"1","c":"x: y","d":[],"e":{},"f":[{"g":1,"h":["i",null]},"#no"],)"
      R"("j":"line\nbreak","k":" lead","l":true,"m":1.5,"n":"","o":[["p"],[]]})");
  REQUIRE(json);
  auto back = parse_yaml(write_yaml(*json));
  REQUIRE(back);
  CHECK(*back == *json);
  for (const char* text : {"...", "... a", "---", "--- a"})
    CHECK(parse_yaml(write_yaml(Json(text)))->as_string() == text);
  // Byte order marks, line breaks of YAML 1.1 and control characters are escaped.
  for (const char* text : {"\ufeffa", "a\u0085b", "a\u2028b", "\u2029", "a\u009f\""})
    CHECK(parse_yaml(write_yaml(Json(text)))->as_string() == text);
  CHECK(write_yaml(Json("\ufeffa\u0085\u2028")) == "\"\\ufeffa\\u0085\\u2028\"\n");
  CHECK(write_yaml(Json("\u00e9\u2030")) == "\u00e9\u2030\n");
}

TEST_CASE("keys of any length are written and read") {
  for (std::size_t size : {999u, 1000u, 1001u, 5000u}) {
    Json inner = Json::object({{std::string(size, 'k'), Json::object({{"a", 1}})}, {"b", 2}});
    const Json tree = Json::object({{"list", Json::array({inner})}, {"map", inner}});
    auto back = parse_yaml(write_yaml(tree));
    REQUIRE(back);
    CHECK(*back == tree);
  }
}

TEST_CASE("what can start no document ends the parse") {
  // yaml-cpp alone makes documents of this without end.
  for (auto text : {"- \"q\"\n, 0", "a: 1\n]", "\"q\"\n, 0_0"}) {
    INFO(text);
    CHECK(parse_yaml_stream(text).code() == skiff::base::Code::invalid_argument);
  }
}

TEST_CASE("keys of other types become text") {
  auto value = parse_yaml("1: a\non: b\n\"no\": c\n1.5: d\n");
  REQUIRE(value.is_ok());
  CHECK(write_json(*value) == R"({"1":"a","true":"b","no":"c","1.5":"d"})");
  CHECK_FALSE(parse_yaml("[a]: b").is_ok());
  CHECK_FALSE(parse_yaml("? {a: b}\n: c").is_ok());
  CHECK_FALSE(parse_yaml("~: b").is_ok());
}

TEST_CASE("large and hostile YAML is bounded while it is read") {
  std::string keys;
  for (int i = 0; i < 20'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  auto value = parse_yaml(keys);
  REQUIRE(value.is_ok());
  CHECK(value->size() == 20'000);
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "-\n";
  JsonParseOptions options;
  options.limits.values_max = 1000;
  CHECK(parse_yaml(many, options).code() == skiff::base::Code::too_large);
  CHECK(parse_yaml("a: &x [*x]").code() == skiff::base::Code::invalid_argument);
  std::string anchors = "[";
  for (int i = 0; i < 400; ++i) anchors += "&a" + std::to_string(i) + " [";
  CHECK_FALSE(parse_yaml(anchors).is_ok());
}
