#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

namespace {

// Upstream's document; null where the oracle is absent.
Json oracle(const std::string& file) {
  std::ifstream in("../shared/oracle/discovery/" + file);
  if (!in) {
    WARN("no oracle " << file);
    return Json();
  }
  std::stringstream text;
  text << in.rdbuf();
  auto tree = codec::parse_json(text.str());
  REQUIRE(tree.is_ok());
  return std::move(*tree);
}

// Every resource that we serve is upstream's, member by member.
void compare_resources(ApiFixture& api, const std::string& path, const std::string& file) {
  auto ours = api.call("GET", path).json();
  auto theirs = oracle(file);
  if (theirs.is_null()) return;
  CHECK(ours["kind"].as_string() == "APIResourceList");
  CHECK(ours["groupVersion"] == theirs["groupVersion"]);
  std::map<std::string, Json> known;
  for (auto& resource : theirs["resources"].mutable_items()) {
    resource.erase("storageVersionHash");
    known[std::string(std::as_const(resource)["name"].as_string())] = resource;
  }
  CHECK(ours["resources"].size() > 0);
  for (const auto& resource : ours["resources"].items()) {
    INFO(codec::write_json(resource));
    auto found = known.find(std::string(resource["name"].as_string()));
    REQUIRE(found != known.end());
    CHECK(resource == found->second);
  }
}

}  // namespace

TEST_CASE("plain discovery is upstream's for every resource of ours") {
  ApiFixture api;
  compare_resources(api, "/api/v1", "api__v1.json");
  compare_resources(api, "/apis/apps/v1", "apis__apps__v1.json");
  compare_resources(api, "/apis/discovery.k8s.io/v1", "apis__discovery.k8s.io__v1.json");
  compare_resources(api, "/apis/coordination.k8s.io/v1", "apis__coordination.k8s.io__v1.json");
  compare_resources(api, "/apis/events.k8s.io/v1", "apis__events.k8s.io__v1.json");
  for (std::string group : {"authentication", "authorization", "rbac.authorization"}) {
    compare_resources(api, "/apis/" + group + ".k8s.io/v1", "apis__" + group + ".k8s.io__v1.json");
  }
  auto group = oracle("apis__apps.json");
  if (!group.is_null()) CHECK(api.call("GET", "/apis/apps").json() == group);
  CHECK(api.call("GET", "/apis/nothing").status == 404);
  CHECK(api.call("GET", "/apis/apps/v9").status == 404);
}

TEST_CASE("aggregated discovery repeats its type exactly and has an entity tag") {
  ApiFixture api;
  for (const char* version : {"v2", "v2beta1"}) {
    auto request = api.request("GET", "/apis");
    const std::string type = std::string("application/json;g=apidiscovery.k8s.io;v=") + version +
                             ";as=APIGroupDiscoveryList";
    request.headers.set("Accept", type + ",application/json");
    auto answer = api.send(std::move(request));
    CHECK(answer.status == 200);
    CHECK(answer.headers.get("Content-Type") == type);
    auto tree = answer.json();
    CHECK(tree["kind"].as_string() == "APIGroupDiscoveryList");
    auto again = api.request("GET", "/apis");
    again.headers.set("Accept", type);
    again.headers.set("If-None-Match", std::string(answer.headers.get("ETag")));
    auto unchanged = api.send(std::move(again));
    CHECK(unchanged.status == 304);
    CHECK(unchanged.body.empty());
  }
}

TEST_CASE("OpenAPI comes as an index with hashed URLs and as both forms of version 2") {
  ApiFixture api;
  auto index = api.call("GET", "/openapi/v3").json();
  auto url = std::string(index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_string());
  REQUIRE(url.find("/openapi/v3/apis/apps/v1?hash=") == 0);
  auto document = api.call("GET", url);
  CHECK(document.status == 200);
  CHECK(document.json()["openapi"].as_string().substr(0, 2) == "3.");
  CHECK(api.call("GET", "/openapi/v3/apis/none/v1").status == 404);
  auto request = api.request("GET", "/openapi/v2");
  request.headers.set("Accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
  auto protobuf = api.send(std::move(request));
  CHECK(protobuf.status == 200);
  CHECK(protobuf.body.size() > 1000);
  // kubectl up to 1.27 parses it as a media type, where '@' is none.
  CHECK(protobuf.headers.get("Content-Type") ==
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  CHECK(api.call("GET", "/openapi/v2").headers.get("Content-Type") == "application/json");
}

TEST_CASE("health, version and metrics answer as upstream's") {
  ApiFixture api;
  CHECK(api.call("GET", "/livez").body == "ok");
  auto verbose = api.call("GET", "/readyz?verbose");
  CHECK(verbose.body.find("[+]ping ok\n") != std::string::npos);
  CHECK(verbose.body.find("readyz check passed\n") != std::string::npos);
  CHECK(verbose.body.find("[+]poststarthook/rbac/bootstrap-roles ok\n") != std::string::npos);
  CHECK(api.call("GET", "/readyz/ping").body == "ok");
  CHECK(api.call("GET", "/readyz/none").status == 404);
  auto version = api.call("GET", "/version").json();
  CHECK(version["gitVersion"].as_string() == "v1.36.0+skiff.1");
  CHECK(version["minor"].as_string() == "36");
  CHECK(api.call("GET", "/metrics").body.find("apiserver_request_total{verb=\"get\"") !=
        std::string::npos);
}
