#include <skiff/api/patch.h>
#include <skiff/base/random.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::ApiError;
using codec::Json;

namespace {

Json json(std::string_view text) {
  INFO(text);
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return *value;
}

}  // namespace

TEST_CASE("JSON patches do what RFC 6902 says") {
  const char* rows[][3] = {
      {R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])", R"({"a":1,"b":2})"},
      {R"({"a":1})", R"([{"op":"add","path":"/a","value":{"x":[]}}])", R"({"a":{"x":[]}})"},
      {R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2,3]})"},
      {R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])", R"({"a":[1,2]})"},
      {R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/0"}])", R"({"a":[2]})"},
      {R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/-1"}])", R"({"a":[1]})"},
      {R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])", R"({"b":2})"},
      {R"({"a":1})", R"([{"op":"replace","path":"/a","value":null}])", R"({"a":null})"},
      {R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])", R"({"a":{},"c":1})"},
      {R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":[1],"b":[1]})"},
      {R"({"a/b":{"m~n":1}})", R"([{"op":"replace","path":"/a~1b/m~0n","value":2}])",
       R"({"a/b":{"m~n":2}})"},
      {R"({"~1":1})", R"([{"op":"test","path":"/~01","value":1}])", R"({"~1":1})"},
      {R"({"a":{"x":1,"y":2}})", R"([{"op":"test","path":"/a","value":{"y":2,"x":1}}])",
       R"({"a":{"x":1,"y":2}})"},
      {R"({"a":1})", R"([{"op":"test","path":"/b","value":null}])", R"({"a":1})"},
      {R"({"":{"":1}})", R"([{"op":"replace","path":"//","value":2}])", R"({"":{"":2}})"},
      {R"({"a":1})", "[]", R"({"a":1})"},
  };
  for (const auto& row : rows) {
    INFO(row[1]);
    auto result = api::apply_json_patch(json(row[0]), json(row[1]));
    REQUIRE(std::holds_alternative<Json>(result));
    CHECK(codec::write_json(std::get<Json>(result)) == row[2]);
  }
}

TEST_CASE("an operation that fails is 422 as a whole") {
  for (const char* patch : {
           R"([{"op":"remove","path":"/x"}])",
           R"([{"op":"replace","path":"/x","value":1}])",
           R"([{"op":"test","path":"/a","value":2}])",
           R"([{"op":"add","path":"/x/y","value":1}])",
           R"([{"op":"add","path":"/l/9","value":1}])",
           R"([{"op":"add","path":"/l/x","value":1}])",
           R"([{"op":"remove","path":"/l/2"}])",
           R"([{"op":"remove","path":"/l/-3"}])",
           R"([{"op":"odd","path":"/a"}])",
           R"([{"path":"/a"}])",
           R"([{"op":"add"}])",
           R"([{"op":"add","path":7,"value":1}])",
           R"([{"op":"add","path":"a","value":1}])",
           R"([{"op":"replace","path":"","value":{}}])",
           R"([{"op":"move","path":"/b"}])",
           R"([{"op":"move","from":"/o","path":"/o/p"}])",
           R"([{"op":"copy","from":"/x","path":"/b"}])",
           R"([{"op":"add","path":"/b","value":1},{"op":"test","path":"/b","value":2}])",
           R"([{"op":"replace","path":"/l/99999999999999999999","value":1}])",
       }) {
    INFO(patch);
    auto result = api::apply_json_patch(json(R"({"a":1,"l":[1,2],"o":{}})"), json(patch));
    REQUIRE(std::holds_alternative<ApiError>(result));
    CHECK(std::get<ApiError>(result).code == 422);
    CHECK(std::get<ApiError>(result).reason == api::Reason::invalid);
    CHECK(std::get<ApiError>(result).message ==
          "the server rejected our request due to an error in our request");
  }
}

TEST_CASE("what is no JSON patch is 400, a long one is 413") {
  auto error = [](const Json& patch) {
    return std::get<ApiError>(api::apply_json_patch(Json::object(), patch));
  };
  CHECK(error(json("{}")).code == 400);
  CHECK(error(json("{}")).message ==
        "json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  CHECK(error(json("[1]")).code == 400);
  Json many = Json::array();
  for (int i = 0; i < 10'001; ++i) many.push_back(json(R"({"op":"test","path":"/a"})"));
  CHECK(error(many).code == 413);
  CHECK(error(many).message ==
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got "
        "10001");
}

TEST_CASE("copies cannot multiply a document") {
  Json patch = Json::array();
  patch.push_back(json(R"({"op":"add","path":"/a","value":"0123456789012345678901234567890"})"));
  for (int i = 0; i < 40; ++i) {
    patch.push_back(json(R"({"op":"copy","from":"/a","path":"/b"})"));
    patch.push_back(json(R"({"op":"add","path":"/c","value":{}})"));
    patch.push_back(json(R"({"op":"move","from":"/a","path":"/c/a"})"));
    patch.push_back(json(R"({"op":"move","from":"/b","path":"/c/b"})"));
    patch.push_back(json(R"({"op":"move","from":"/c","path":"/a"})"));
  }
  auto result = api::apply_json_patch(Json::object(), patch);
  REQUIRE(std::holds_alternative<ApiError>(result));
  CHECK(std::get<ApiError>(result).code == 422);
}

TEST_CASE("merge patches do what RFC 7396 says") {
  const char* rows[][3] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", "null", "null"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& row : rows)
    CHECK(codec::write_json(api::apply_merge_patch(json(row[0]), json(row[1]))) == row[2]);
}

namespace {

Json random_json(base::Random& random, int depth) {
  const auto kind = random.below(depth > 0 ? 6 : 4);
  if (kind == 0) return {};
  if (kind == 1) return Json(static_cast<long long>(random.below(5)));
  if (kind == 2) return Json("s" + std::to_string(random.below(3)));
  if (kind == 3) return Json(random.below(2) == 0);
  Json value = kind == 4 ? Json::array() : Json::object();
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    if (kind == 4)
      value.push_back(random_json(random, depth - 1));
    else
      value.set(std::string(1, static_cast<char>('a' + random.below(4))),
                random_json(random, depth - 1));
  }
  return value;
}

}  // namespace

TEST_CASE("a merge patch applied twice is the same as once") {
  auto seeded = base::seeded_random(7);
  base::Random& random = *seeded;
  for (int i = 0; i < 2000; ++i) {
    Json object = random_json(random, 4), patch = random_json(random, 4);
    Json once = api::apply_merge_patch(object, patch);
    CHECK(api::apply_merge_patch(once, patch) == once);
  }
}

TEST_CASE("wide objects merge in little time") {
  Json object = Json::object(), patch = Json::object();
  for (int i = 0; i < 60'000; ++i) {
    object.mutable_members().push_back({"k" + std::to_string(i), Json(i)});
    patch.mutable_members().push_back({"k" + std::to_string(i + 30'000), Json(i)});
  }
  CHECK(api::apply_merge_patch(object, patch).size() == 90'000);
}
