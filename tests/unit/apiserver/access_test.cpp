#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

TEST_CASE("nobody gets in but for public paths, and is told what it may not") {
  ApiFixture api;
  api.user.clear();
  api.groups.clear();
  CHECK(api.call("GET", "/readyz").body == "ok");
  CHECK(api.call("GET", "/version").status == 200);
  auto list = api.call("GET", "/api/v1/pods");
  CHECK(list.status == 403);
  CHECK(list.message() ==
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group "
        "\"\" at the cluster scope");
  CHECK(api.call("GET", "/metrics").message() ==
        "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"");
  auto request = api.request("GET", "/api/v1/pods");
  request.headers.set("Authorization", "Bearer nonsense");
  CHECK(api.send(std::move(request)).status == 401);

  api.user = "jane";
  auto denied = api.call("GET", "/api/v1/namespaces/default/pods");
  CHECK(denied.status == 403);
  CHECK(denied.message() ==
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the "
        "namespace \"default\"");
  CHECK(api.call("GET", "/api").status == 200);
}

TEST_CASE("a client certificate that is foreign or expired is 401, but not beside a good token") {
  ApiFixture api;
  auto account = api.call("POST", "/api/v1/namespaces/default/serviceaccounts",
                          R"({"metadata":{"name":"robot"}})");
  REQUIRE(account.status == 201);
  auto made = api.call("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", R"({})");
  REQUIRE(made.status == 201);
  const std::string token(made.json()["status"]["token"].as_string());
  api.user.clear();
  api.groups.clear();
  auto with_token = [&](std::string_view text, const char* path) {
    auto request = api.request("GET", path);
    request.peer.certificate_error = "certificate has expired";
    if (!text.empty()) request.headers.set("Authorization", "Bearer " + std::string(text));
    return api.send(std::move(request));
  };
  auto refused = with_token("", "/api/v1/pods");
  CHECK(refused.status == 401);
  CHECK(refused.message() == "Unauthorized");
  // Also where nobody needs a name, as upstream.
  CHECK(with_token("", "/readyz").status == 401);
  CHECK(with_token("nonsense", "/api/v1/pods").status == 401);
  auto robot = with_token(token, "/api/v1/pods");
  CHECK(robot.status == 403);
  CHECK(robot.message().find("system:serviceaccount:default:robot") != std::string::npos);
}

TEST_CASE("a client certificate that ends while its connection lasts is 401 from then on") {
  ApiFixture api;
  REQUIRE(api.call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1","annotations":
      {"skiff.dev/public-key-sha256":"k"}}})")
              .status == 201);
  const auto end = api.loop.now() + std::chrono::minutes(10);
  auto ask = [&](const char* path) {
    auto request = api.request("GET", path);
    request.peer.certificate_end = end;
    request.peer.certificate_key_sha256 = "k";
    return api.send(std::move(request)).status;
  };
  CHECK(ask("/api/v1/pods") == 200);
  api.loop.advance(std::chrono::minutes(10));
  CHECK(ask("/api/v1/pods") == 401);
  CHECK(ask("/readyz") == 401);
  // A node is its key: with it alone it would get a new certificate.
  api.user = "system:node:n1";
  api.groups = {"system:nodes"};
  CHECK(ask("/api/v1/nodes/n1") == 200);
  api.user = "system:node:n2";
  CHECK(ask("/api/v1/nodes/n2") == 401);
}

TEST_CASE("only masters act as others, and then with the others' rights") {
  ApiFixture api;
  auto request = api.request("GET", "/api/v1/pods");
  request.headers.set("Impersonate-User", "jane");
  auto denied = api.send(std::move(request));
  CHECK(denied.status == 403);
  CHECK(denied.message().find("User \"jane\" cannot list resource \"pods\"") != std::string::npos);
  auto group = api.request("GET", "/api/v1/pods");
  group.headers.set("Impersonate-User", "jane");
  group.headers.set("Impersonate-Group", "system:masters");
  CHECK(api.send(std::move(group)).status == 200);
  auto nameless = api.request("GET", "/api/v1/pods");
  nameless.headers.set("Impersonate-Group", "system:masters");
  CHECK(api.send(std::move(nameless)).status == 400);
  api.user = "joe";
  api.groups.clear();
  auto climb = api.request("GET", "/api/v1/pods");
  climb.headers.set("Impersonate-User", "admin");
  climb.headers.set("Impersonate-Group", "system:masters");
  auto refused = api.send(std::move(climb));
  CHECK(refused.status == 403);
  CHECK(refused.message().find("User \"joe\" cannot impersonate-on:user-info:list resource") !=
        std::string::npos);
}

TEST_CASE("a service account's token is issued, accepted, and dies with its account") {
  ApiFixture api;
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  REQUIRE(api.call("POST", accounts, R"({"metadata":{"name":"robot"}})").status == 201);
  auto made = api.call("POST", accounts + "/robot/token",
                       R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest",
                           "spec":{"expirationSeconds":600}})");
  REQUIRE(made.status == 201);
  auto token = std::string(made.json()["status"]["token"].as_string());
  REQUIRE_FALSE(token.empty());
  auto short_one =
      api.call("POST", accounts + "/robot/token", R"({"spec":{"expirationSeconds":5}})");
  CHECK(short_one.status == 422);
  auto as_robot = [&] {
    http::Request request;
    request.method = "GET";
    request.target = "/api/v1/namespaces/default/pods";
    request.headers.set("Authorization", "Bearer " + token);
    return api.send(std::move(request));
  };
  auto denied = as_robot();
  CHECK(denied.status == 403);
  CHECK(denied.message().find("User \"system:serviceaccount:default:robot\"") != std::string::npos);
  SECTION("its account is deleted") {
    REQUIRE(api.call("DELETE", accounts + "/robot").status == 200);
    CHECK(as_robot().status == 401);
  }
  SECTION("its time is over") {
    api.loop.advance(std::chrono::seconds(661));
    CHECK(as_robot().status == 401);
  }
  SECTION("a byte differs") {
    token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
    CHECK(as_robot().status == 401);
  }
}

TEST_CASE("the in-process client keeps reasons and passes the filters") {
  ApiFixture api;
  auto client = api.server->loopback_client(auth::control_user("system:test"));
  namespace r = client::resources;
  auto made = api.loop.run(client->create(
      r::config_maps, "default",
      Json::object({{"metadata", Json::object({{"name", "a"}, {"namespace", "default"}})}}), {},
      {}));
  REQUIRE(made.is_ok());
  auto list = api.loop.run(client->list(r::config_maps, {}));
  REQUIRE(list.is_ok());
  CHECK(list->items.size() == 1);
  auto stream = api.loop.run(client->watch(r::config_maps, {}, list->revision, {}));
  REQUIRE(stream.is_ok());
  REQUIRE(api.loop.run(client->remove(r::config_maps, "default", "a", {})).is_ok());
  auto events = api.loop.run((*stream)->next());
  REQUIRE(events.is_ok());
  CHECK(events->front().type == client::WatchEvent::Type::removed);
  auto missing = api.loop.run(client->get(r::config_maps, "default", "a"));
  CHECK(missing.code() == base::Code::not_found);
  auto nobody = api.server->loopback_client({"jane", {}, {"system:authenticated"}, {}});
  auto denied = api.loop.run(nobody->list(r::secrets, {}));
  CHECK(denied.code() == base::Code::permission_denied);
}

TEST_CASE("bootstrap objects are there, and a second start writes nothing") {
  ApiFixture api;
  auto service = api.call("GET", "/api/v1/namespaces/default/services/kubernetes").json();
  CHECK(service["spec"]["clusterIP"].as_string() == "10.43.0.1");
  auto dns = api.call("GET", "/api/v1/namespaces/kube-system/services/kube-dns").json();
  CHECK(dns["spec"]["clusterIP"].as_string() == "10.43.0.10");
  CHECK(dns["spec"]["ports"].size() == 2);
  auto before = api.hub_->snapshot().revision();
  auto again = api.loop.run(api.server->ensure_bootstrap_objects());
  CHECK(again.is_ok());
  CHECK(api.hub_->snapshot().revision() == before);
}

TEST_CASE("default/kubernetes is where the master is reached at the moment") {
  ApiFixture api;
  auto address_of = [&](const char* path, std::string_view member) {
    const Json object = api.call("GET", path).json();
    REQUIRE(object[member].size() == 1);
    return codec::write_json(object[member].items()[0]["addresses"]);
  };
  const char* endpoints = "/api/v1/namespaces/default/endpoints/kubernetes";
  const char* slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
  CHECK(address_of(endpoints, "subsets") == R"([{"ip":"192.0.2.1"}])");
  api.advertised = "192.0.2.77";
  REQUIRE(api.loop.run(api.server->ensure_bootstrap_objects()).is_ok());
  CHECK(address_of(endpoints, "subsets") == R"([{"ip":"192.0.2.77"}])");
  CHECK(address_of(slice, "endpoints") == R"(["192.0.2.77"])");
  // A host that is between two addresses leaves what is there.
  api.advertised.clear();
  REQUIRE(api.loop.run(api.server->ensure_bootstrap_objects()).is_ok());
  CHECK(address_of(endpoints, "subsets") == R"([{"ip":"192.0.2.77"}])");
  const Json nowhere = api.call("GET", "/api").json();
  CHECK(nowhere["serverAddressByClientCIDRs"].items()[0]["serverAddress"].as_string() ==
        "localhost:6443");
  api.advertised = "192.0.2.77";
  const Json versions = api.call("GET", "/api").json();
  CHECK(versions["serverAddressByClientCIDRs"].items()[0]["serverAddress"].as_string() ==
        "192.0.2.77:6443");
}
