#include <skiff/api/object.h>
#include <skiff/api/scan.h>
#include <skiff/api/summary.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::StoredObject;
using codec::Json;

namespace {

Json json(std::string_view text) { return codec::parse_json(text).value(); }

}  // namespace

TEST_CASE("the splice is right for every shape of metadata") {
  const char* rows[][2] = {
      {R"({"kind":"Pod","metadata":{"name":"a"},"spec":{}})",
       R"({"kind":"Pod","metadata":{"resourceVersion":"7","name":"a"},"spec":{}})"},
      {R"({"kind":"Pod","metadata":{"labels":{"metadata":"x"},"uid":"u","name":"a","resourceVersion":"3"}})",
       R"({"kind":"Pod","metadata":{"uid":"u","name":"a","resourceVersion":"7","labels":{"metadata":"x"}}})"},
      {R"({"metadata":{"generation":1}})",
       R"({"metadata":{"resourceVersion":"7","generation":1}})"},
      {R"({"metadata":{}})", R"({"metadata":{"resourceVersion":"7","creationTimestamp":null}})"},
      {R"({"metadata":{"resourceVersion":"9"},"a":1})",
       R"({"metadata":{"resourceVersion":"7","creationTimestamp":null},"a":1})"},
      {R"({"spec":{"metadata":{"name":"no"}},"metadata":{"namespace":"n\"}","name":"{\"b\\"}})",
       R"({"spec":{"metadata":{"name":"no"}},"metadata":{"resourceVersion":"7","namespace":"n\"}","name":"{\"b\\"}})"},
  };
  for (const auto& row : rows) {
    Json object = json(row[0]);
    StoredObject stored(StoredObject::encode(object), 7);
    CHECK(stored.to_json_text() == row[1]);
    Json expected = object;
    expected["metadata"].set("resourceVersion", "7");
    auto parsed = stored.parse();
    REQUIRE(parsed.is_ok());
    CHECK(*parsed == expected);
    // What is stored does not depend on the revision that was read.
    CHECK(StoredObject::encode(*parsed).view() == stored.stored().view());
  }
}

TEST_CASE("a stored object knows its name without a tree") {
  StoredObject stored(
      StoredObject::encode(
          json(R"({"spec":{"name":"no"},"metadata":{"uid":"u","namespace":"n","name":"a"}})")),
      1);
  CHECK(stored.name() == "a");
  CHECK(stored.namespace_name() == "n");
  CHECK(stored.uid() == "u");
  CHECK(StoredObject().name().empty());
  CHECK(StoredObject().empty());
}

TEST_CASE("a damaged stored object is data loss, never a crash") {
  const std::string good(StoredObject::encode(json(R"({"metadata":{"name":"a"}})")).view());
  for (std::size_t size = 0; size < good.size(); ++size) {
    StoredObject cut(base::SharedBytes(std::string_view(good).substr(0, size)), 1);
    auto parsed = cut.parse();
    REQUIRE_FALSE(parsed.is_ok());
    CHECK(parsed.code() == base::Code::data_loss);
    cut.to_json_text();
    cut.name();
  }
  StoredObject offset(base::SharedBytes(std::string("\xff\xff\xff\xff", 4) + good.substr(4)), 1);
  CHECK(offset.json_after().empty());
  for (const char* text : {"[]", "7", "null"}) {
    StoredObject other(base::SharedBytes(good.substr(0, 4) + text), 1);
    CHECK(other.parse().code() == base::Code::data_loss);
  }
}

TEST_CASE("accessors read what is absent as empty") {
  Json pod = json(R"({"metadata":{"name":"a","namespace":"n","labels":{"x":"y"},
    "annotations":{"p":"q"},"finalizers":["f"],
    "ownerReferences":[{"name":"o"},{"name":"c","controller":true}]},
    "status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  CHECK(api::object_key(pod) == "n/a");
  CHECK(api::label(pod, "x") == "y");
  CHECK(api::annotation(pod, "p") == "q");
  CHECK(api::has_finalizer(pod, "f"));
  CHECK_FALSE(api::has_finalizer(pod, "g"));
  CHECK(api::controller_of(pod)["name"].as_string() == "c");
  CHECK(api::find_condition(pod, "Ready")["status"].as_string() == "True");
  CHECK(api::find_condition(pod, "Other").is_null());
  CHECK_FALSE(api::is_being_deleted(pod));
  CHECK(api::object_key(Json()).empty());
  CHECK(api::controller_of(Json(3)).is_null());
}

TEST_CASE("scanning passes quotes that are escaped") {
  for (const char* text : {R"({"a\"b":"c","k":"v"})", R"({"a":"\\","k":"v"})",
                           R"({"a":"\\\"","k":"v"})", R"({"a":["\\\\",{"x":"\"\""}],"k":"v"})"})
    CHECK(api::scan_string(text, {"k"}) == "v");
  for (const char* text : {R"({"k":"v\")", R"({"k":"v\\\")", R"({"k":")", R"({"k":"\")"})
    CHECK_FALSE(api::scan_string(text, {"k"}));
}

TEST_CASE("scanning finds strings without a tree and decodes escapes") {
  const char* text =
      R"( { "a" : [1,{"b":"}"}] , "k\u0065y" : { "x":"\u00e9\ud83d\ude00\n", "n":1 } } )";
  CHECK(api::scan_string(text, {"key", "x"}) == "\xc3\xa9\xf0\x9f\x98\x80\n");
  CHECK_FALSE(api::scan_string(text, {"key", "n"}));
  CHECK_FALSE(api::scan_string(text, {"a", "b"}));
  CHECK_FALSE(api::scan_string(text, {"key", "missing"}));
  const Json list = api::scan_tree(text, {"a"});
  CHECK(list.items()[1]["b"].as_string() == "}");
  CHECK(api::scan_tree(text, {"a", "b"}).is_null());
  auto map = api::scan_string_map(R"({"metadata":{"labels":{"a":"1","b":2,"c":"3"}}})",
                                  {"metadata", "labels"});
  REQUIRE(map.size() == 2);
  CHECK(map[0] == std::pair<std::string, std::string>("a", "1"));
  CHECK(map[1] == std::pair<std::string, std::string>("c", "3"));
}

TEST_CASE("scanning hostile text ends and stays inside it") {
  const char* rows[] = {"",
                        "{",
                        "{\"a",
                        "{\"a\"",
                        "{\"a\":",
                        "{\"a\":\"",
                        "[[[[[",
                        "{\"a\":[1,",
                        "{\"a\"::1}",
                        "{\"a\":\"\\",
                        "{\"a\":\"\\u12\"}",
                        "}",
                        "{\"a\":}",
                        "{\"a\":]}",
                        "{,,,}",
                        "\"",
                        "{\"\\"};
  for (const char* text : rows) {
    CHECK_FALSE(api::scan_string(text, {"a"}));
    CHECK_FALSE(api::scan_string(text, {"b", "c"}));
    CHECK(api::scan_string_map(text, {"a"}).empty());
  }
  std::string deep(1'000'000, '[');
  CHECK_FALSE(api::scan_string("{\"x\":" + deep, {"a"}));
}

TEST_CASE("a summary has what is asked of every change, and never reads beyond the text") {
  const std::string text =
      R"({"kind":"Pod","metadata":{"name":"p","labels":{"uid":"no"},"namespace":"n\u0065",)"
      R"("uid":"u","ownerReferences":[{"uid":"a"},{"uid":"b","controller":true}],)"
      R"("deletionTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"f":"}"}]},)"
      R"("spec":{"containers":[{"nodeName":"no"}],"nodeName":"node-1"},"status":{"phase":"Failed"}})";
  const api::ObjectSummary pod = api::summarize(text);
  CHECK(pod.name == "p");
  CHECK(pod.namespace_name == "ne");
  CHECK(pod.uid == "u");
  CHECK(pod.is_being_deleted);
  CHECK(pod.owners.size() == 2);
  CHECK(pod.controller()["uid"].as_string() == "b");
  CHECK(pod.node_name == "node-1");
  CHECK(pod.phase == "Failed");
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK(api::summarize(std::string_view(text).substr(0, size)).phase.empty() ==
          (size < text.size() - 2));
  const api::ObjectSummary odd =
      api::summarize(R"({"spec":null,"metadata":{"deletionTimestamp":null,"ownerReferences":1},)"
                     R"("status":{"phase":"Running"}})");
  CHECK(odd.phase == "Running");
  CHECK_FALSE(odd.is_being_deleted);
  CHECK(odd.controller().is_null());
  CHECK(odd.node_name.empty());
}
