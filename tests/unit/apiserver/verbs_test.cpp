#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using test::ApiFixture;

namespace {

constexpr const char* kConfigMap =
    R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}})";
const std::string kMaps = "/api/v1/namespaces/default/configmaps";

}  // namespace

TEST_CASE("an object is created, read, updated, patched and deleted") {
  ApiFixture api;
  auto created = api.call("POST", kMaps, kConfigMap);
  REQUIRE(created.status == 201);
  auto object = created.json();
  CHECK(object["metadata"]["namespace"].as_string() == "default");
  CHECK(object["metadata"]["uid"].as_string().size() == 36);
  CHECK_FALSE(object["metadata"]["resourceVersion"].as_string().empty());

  auto got = api.call("GET", kMaps + "/a");
  CHECK(got.status == 200);
  CHECK(got.body == created.body);

  object["data"].set("k", "w");
  auto updated = api.call("PUT", kMaps + "/a", codec::write_json(object));
  REQUIRE(updated.status == 200);
  auto stale = api.call("PUT", kMaps + "/a", codec::write_json(object));
  CHECK(stale.status == 409);
  CHECK(stale.message() ==
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please "
        "apply your changes to the latest version and try again");

  auto patched = api.call("PATCH", kMaps + "/a", R"({"data":{"x":"y","k":null}})",
                          "application/merge-patch+json");
  REQUIRE(patched.status == 200);
  CHECK(patched.json()["data"] == codec::Json::object({{"x", "y"}}));

  auto removed = api.call("DELETE", kMaps + "/a");
  CHECK(removed.status == 200);
  CHECK(removed.json()["status"].as_string() == "Success");
  auto gone = api.call("GET", kMaps + "/a");
  CHECK(gone.status == 404);
  CHECK(gone.message() == "configmaps \"a\" not found");
  CHECK(gone.reason() == "NotFound");
}

TEST_CASE("a second create of a name is AlreadyExists, generateName makes names") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, kConfigMap).status == 201);
  auto again = api.call("POST", kMaps, kConfigMap);
  CHECK(again.status == 409);
  CHECK(again.reason() == "AlreadyExists");
  CHECK(again.message() == "configmaps \"a\" already exists");
  auto made = api.call("POST", kMaps, R"({"metadata":{"generateName":"g-"}})");
  REQUIRE(made.status == 201);
  auto name = std::string(made.json()["metadata"]["name"].as_string());
  CHECK(name.size() == 7);
  CHECK(name.substr(0, 2) == "g-");
}

TEST_CASE("an update that changes nothing writes nothing") {
  ApiFixture api;
  auto created = api.call("POST", kMaps, kConfigMap);
  auto same =
      api.call("PATCH", kMaps + "/a", R"({"data":{"k":"v"}})", "application/merge-patch+json");
  CHECK(same.status == 200);
  CHECK(same.json()["metadata"]["resourceVersion"] ==
        created.json()["metadata"]["resourceVersion"]);
}

TEST_CASE("what is not there is made by PUT of some kinds and by apply, never by a patch") {
  ApiFixture api;
  const std::string endpoints = "/api/v1/namespaces/default/endpoints/e";
  auto patched = api.call("PATCH", endpoints, "{}", "application/merge-patch+json");
  CHECK(patched.status == 404);
  CHECK(api.call("PUT", endpoints, R"({"metadata":{"name":"e"}})").status == 201);
  CHECK(api.call("PUT", kMaps + "/a", kConfigMap).status == 404);
  auto applied =
      api.call("PATCH", kMaps + "/a?fieldManager=m", kConfigMap, "application/apply-patch+yaml");
  CHECK(applied.status == 201);
  auto nobody = api.call("PATCH", kMaps + "/a", kConfigMap, "application/apply-patch+yaml");
  CHECK(nobody.status == 422);
  auto versioned = api.call("POST", kMaps, R"({"metadata":{"name":"b","resourceVersion":"7"}})");
  CHECK(versioned.status == 400);
  CHECK(versioned.message() == "resourceVersion should not be set on objects to be created");
}

TEST_CASE("bad bodies get 400, 413 and 415 with a sentence") {
  ApiFixture api;
  auto broken = api.call("POST", kMaps, "{\"metadata\":");
  CHECK(broken.status == 400);
  CHECK(broken.message().find("must be of type ConfigMap") != std::string::npos);
  auto type = api.call("POST", kMaps, R"({"metadata":{"name":"a"},"data":7})");
  CHECK(type.status == 400);
  CHECK(type.message().find("cannot be handled as a ConfigMap") != std::string::npos);
  auto kind = api.call("POST", kMaps, R"({"apiVersion":"v1","kind":"Pod"})");
  CHECK(kind.status == 400);
  auto media = api.call("POST", kMaps, "x", "text/plain");
  CHECK(media.status == 415);
  auto space = api.call("POST", kMaps, R"({"metadata":{"name":"a","namespace":"other"}})");
  CHECK(space.status == 400);
  auto accept = api.request("GET", kMaps);
  accept.headers.set("Accept", "text/html");
  CHECK(api.send(std::move(accept)).status == 406);
  CHECK(api.call("GET", "/api/v1/namespaces/default/nothings").status == 404);
  CHECK(api.call("GET", "/api/v1/%zz/x/y").status == 400);
  CHECK(api.call("PUT", "/api/v1/namespaces/default/configmaps", "{}").status == 405);
}

TEST_CASE("unknown fields are refused, warned about or ignored") {
  ApiFixture api;
  const std::string body = R"({"metadata":{"name":"a"},"foo":1})";
  auto strict = api.call("POST", kMaps + "?fieldValidation=Strict", body);
  CHECK(strict.status == 400);
  CHECK(strict.message() ==
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
        "unknown field \"foo\"");
  auto warned = api.call("POST", kMaps + "?dryRun=All", body);
  CHECK(warned.status == 201);
  CHECK(warned.headers.get("Warning") == "299 - \"unknown field \\\"foo\\\"\"");
  auto ignored = api.call("POST", kMaps + "?fieldValidation=Ignore", body);
  CHECK(ignored.status == 201);
  CHECK_FALSE(ignored.headers.has("Warning"));
}

TEST_CASE("strict patches name what they say twice, then what is no field") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, kConfigMap).status == 201);
  const std::string one = kMaps + "/a?fieldValidation=Strict";
  auto strategic = api.call("PATCH", one, R"({"foo":[1,null],"data":{"k":"1","k":"2"}})",
                            "application/strategic-merge-patch+json");
  CHECK(strategic.status == 422);
  CHECK(strategic.message() ==
        " \"\" is invalid: patch: Invalid value: \"map[data:map[k:2] foo:[1 <nil>]]\": strict "
        "decoding error: duplicate field \"data.k\", unknown field \"foo\"");
  auto merge = api.call("PATCH", one, R"({"foo":1})", "application/merge-patch+json");
  CHECK(merge.status == 422);
  CHECK(merge.message().find("strict decoding error: unknown field \"foo\"") != std::string::npos);
  auto operations = api.call("PATCH", one,
                             R"([{"op":"add","path":"/foo","value":1,"x":1},
      {"op":"add","path":"/a","path":"/b","value":1}])",
                             "application/json-patch+json");
  CHECK(operations.status == 422);
  CHECK(operations.message().find(
            "strict decoding error: json patch unknown field \"[0].x\", json patch duplicate field "
            "\"[1].path\", unknown field \"b\", unknown field \"foo\"") != std::string::npos);
  auto warned = api.call("PATCH", kMaps + "/a", R"({"foo":1})", "application/merge-patch+json");
  CHECK(warned.status == 200);
  CHECK(warned.headers.get("Warning") == "299 - \"unknown field \\\"foo\\\"\"");
}

TEST_CASE("a dry run answers as if and stores nothing") {
  ApiFixture api;
  auto dry = api.call("POST", kMaps + "?dryRun=All", kConfigMap);
  CHECK(dry.status == 201);
  CHECK(api.call("GET", kMaps + "/a").status == 404);
  CHECK(api.call("POST", kMaps + "?dryRun=Some", kConfigMap).status == 422);
}

TEST_CASE("lists select, page on one snapshot and expire") {
  ApiFixture api;
  for (int i = 0; i < 5; ++i) {
    auto body = codec::Json::object(
        {{"metadata", codec::Json::object(
                          {{"name", "m" + std::to_string(i)},
                           {"labels", codec::Json::object({{"odd", i % 2 ? "yes" : "no"}})}})}});
    REQUIRE(api.call("POST", kMaps, codec::write_json(body)).status == 201);
  }
  auto odd = api.call("GET", kMaps + "?labelSelector=odd%3Dyes").json();
  CHECK(odd["items"].size() == 2);
  auto named = api.call("GET", kMaps + "?fieldSelector=metadata.name%3Dm3").json();
  REQUIRE(named["items"].size() == 1);
  CHECK(named["kind"].as_string() == "ConfigMapList");
  auto bad = api.call("GET", kMaps + "?fieldSelector=spec.x%3D1");
  CHECK(bad.status == 400);

  auto first = api.call("GET", kMaps + "?limit=2").json();
  CHECK(first["items"].size() == 2);
  CHECK(first["metadata"]["remainingItemCount"].as_int() == 3);
  REQUIRE(api.call("DELETE", kMaps + "/m4").status == 200);
  auto token = std::string(first["metadata"]["continue"].as_string());
  auto second = api.call("GET", kMaps + "?limit=10&continue=" + token).json();
  CHECK(second["items"].size() == 3);
  CHECK(second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]);
  CHECK_FALSE(second["metadata"].contains("continue"));
  api.loop.advance(std::chrono::minutes(11));
  auto expired = api.call("GET", kMaps + "?limit=10&continue=" + token);
  CHECK(expired.status == 410);
  CHECK(expired.reason() == "Expired");
  // The rest of the list goes on as things are now.
  REQUIRE(api.call("DELETE", kMaps + "/m3").status == 200);
  auto latest = std::string(expired.json()["metadata"]["continue"].as_string());
  auto rest = api.call("GET", kMaps + "?limit=1&continue=" + latest).json();
  REQUIRE(rest["items"].size() == 1);
  CHECK(rest["items"].items()[0]["metadata"]["name"].as_string() == "m2");
  CHECK_FALSE(rest["metadata"].contains("continue"));
  CHECK(rest["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]);
  CHECK(api.call("GET", kMaps + "?continue=junk").status == 400);
}

TEST_CASE("tables and partial metadata are negotiated") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, kConfigMap).status == 201);
  auto request = api.request("GET", kMaps);
  request.headers.set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
  auto table = api.send(std::move(request)).json();
  CHECK(table["kind"].as_string() == "Table");
  CHECK(table["columnDefinitions"].items().front()["name"].as_string() == "Name");
  REQUIRE(table["rows"].size() == 1);
  CHECK(table["rows"].items()[0]["cells"].items()[0].as_string() == "a");
  CHECK(table["rows"].items()[0]["object"]["kind"].as_string() == "PartialObjectMetadata");
  auto partial = api.request("GET", kMaps + "/a");
  partial.headers.set("Accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
  auto metadata = api.send(std::move(partial)).json();
  CHECK(metadata["kind"].as_string() == "PartialObjectMetadata");
  CHECK_FALSE(metadata.contains("data"));
}

TEST_CASE("finalizers hold a deleted object until the last one goes") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, R"({"metadata":{"name":"f","finalizers":["x.io/a"]}})").status ==
          201);
  auto deleted = api.call("DELETE", kMaps + "/f");
  CHECK(deleted.status == 200);
  CHECK_FALSE(deleted.json()["metadata"]["deletionTimestamp"].as_string().empty());
  CHECK(api.call("GET", kMaps + "/f").status == 200);
  auto more = api.call("PATCH", kMaps + "/f", R"({"metadata":{"finalizers":["x.io/a","y.io/b"]}})",
                       "application/merge-patch+json");
  CHECK(more.status == 422);
  auto last = api.call("PATCH", kMaps + "/f", R"({"metadata":{"finalizers":null}})",
                       "application/merge-patch+json");
  CHECK(last.status == 200);
  CHECK(api.call("GET", kMaps + "/f").status == 404);
}

TEST_CASE("delete preconditions and propagation policies are checked") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, kConfigMap).status == 201);
  auto wrong = api.call("DELETE", kMaps + "/a", R"({"preconditions":{"uid":"other"}})");
  CHECK(wrong.status == 409);
  CHECK(api.call("DELETE", kMaps + "/a?propagationPolicy=Sideways").status == 422);
  auto orphan = api.call("DELETE", kMaps + "/a?propagationPolicy=Orphan");
  CHECK(orphan.status == 200);
  CHECK(orphan.json()["metadata"]["finalizers"] == codec::Json::array({codec::Json("orphan")}));
}

TEST_CASE("deletecollection removes what the selector names") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, R"({"metadata":{"name":"a","labels":{"x":"1"}}})").status == 201);
  REQUIRE(api.call("POST", kMaps, R"({"metadata":{"name":"b"}})").status == 201);
  auto removed = api.call("DELETE", kMaps + "?labelSelector=x%3D1");
  CHECK(removed.status == 200);
  CHECK(removed.json()["items"].size() == 1);
  CHECK(api.call("GET", kMaps + "/a").status == 404);
  CHECK(api.call("GET", kMaps + "/b").status == 200);
}
