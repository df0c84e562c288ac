#include <catch2/catch.hpp>
#include <set>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

namespace {

const std::string kServices = "/api/v1/namespaces/default/services";
const std::string kPods = "/api/v1/namespaces/default/pods";

std::string service(const std::string& name, const std::string& extra = {}) {
  return R"({"metadata":{"name":")" + name +
         R"("},"spec":{"selector":{"a":"b"},"ports":[{"port":80}])" + extra + "}}";
}

void make_account(ApiFixture& api) {
  REQUIRE(api.call("POST", "/api/v1/namespaces/default/serviceaccounts",
                   R"({"metadata":{"name":"default"}})")
              .status == 201);
}

std::string pod(const std::string& name, const std::string& extra = {}) {
  return R"({"metadata":{"name":")" + name +
         R"("},"spec":{"containers":[{"name":"c","image":"i"}])" + extra + "}}";
}

}  // namespace

TEST_CASE("services get addresses and ports that are never handed out twice") {
  ApiFixture api;
  std::set<std::string> addresses;
  for (int i = 0; i < 20; ++i) {
    auto made = api.call("POST", kServices, service("s" + std::to_string(i)));
    REQUIRE(made.status == 201);
    auto spec = made.json()["spec"];
    addresses.insert(std::string(spec["clusterIP"].as_string()));
    CHECK(spec["clusterIPs"] == Json::array({spec["clusterIP"]}));
    CHECK(spec["ipFamilies"] == Json::array({Json("IPv4")}));
    CHECK(spec["ipFamilyPolicy"].as_string() == "SingleStack");
  }
  CHECK(addresses.size() == 20);
  auto taken =
      api.call("POST", kServices, service("t", R"(,"clusterIP":")" + *addresses.begin() + "\""));
  CHECK(taken.status == 422);
  CHECK(taken.message().find("provided IP is already allocated") != std::string::npos);
  auto outside = api.call("POST", kServices, service("t", R"(,"clusterIP":"192.0.2.7")"));
  CHECK(outside.status == 422);
  CHECK(outside.message().find("The range of valid IPs is 10.43.0.0/16") != std::string::npos);

  auto free = api.call("GET", kServices + "/s0").json();
  REQUIRE(api.call("DELETE", kServices + "/s0").status == 200);
  auto again =
      api.call("POST", kServices,
               service("t", R"(,"clusterIP":")" +
                                std::string(free["spec"]["clusterIP"].as_string()) + "\""));
  CHECK(again.status == 201);
}

TEST_CASE("node ports are kept, freed by a change of type and not consumed by dry runs") {
  ApiFixture api;
  const std::string fixed =
      R"({"metadata":{"name":"n"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}})";
  auto dry = api.call("POST", kServices + "?dryRun=All", fixed);
  REQUIRE(dry.status == 201);
  auto made = api.call("POST", kServices, fixed);
  REQUIRE(made.status == 201);
  auto clash = api.call(
      "POST", kServices,
      R"({"metadata":{"name":"m"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}})");
  CHECK(clash.status == 422);
  CHECK(clash.message().find("spec.ports[0].nodePort: Invalid value: 30080: provided port is "
                             "already allocated") != std::string::npos);
  auto low = api.call(
      "POST", kServices,
      R"({"metadata":{"name":"m"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":80}]}})");
  CHECK(low.message().find("The range of valid ports is 30000-32767") != std::string::npos);
  auto back = api.call("PATCH", kServices + "/n", R"({"spec":{"type":"ClusterIP"}})",
                       "application/merge-patch+json");
  REQUIRE(back.status == 200);
  CHECK_FALSE(back.json()["spec"]["ports"].items()[0].contains("nodePort"));
  auto now = api.call(
      "POST", kServices,
      R"({"metadata":{"name":"m"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}})");
  CHECK(now.status == 201);
}

TEST_CASE("a pod gets its account's token, tolerations, priority and class of service") {
  ApiFixture api;
  auto missing = api.call("POST", kPods, pod("p", R"(,"serviceAccountName":"x")"));
  CHECK(missing.status == 403);
  CHECK(missing.message() ==
        "pods \"p\" is forbidden: error looking up service account default/x: serviceaccount "
        "\"x\" not found");
  make_account(api);
  auto made = api.call("POST", kPods, pod("p"));
  REQUIRE(made.status == 201);
  auto tree = made.json();
  const Json& spec = std::as_const(tree)["spec"];
  CHECK(spec["serviceAccountName"].as_string() == "default");
  REQUIRE(spec["volumes"].size() == 1);
  auto volume = spec["volumes"].items()[0]["name"].as_string();
  CHECK(volume.substr(0, 16) == "kube-api-access-");
  // Whoever made the pod has what it asked for, and nothing that admission added.
  const Json managers = std::as_const(tree).at({"metadata", "managedFields"});
  REQUIRE(managers.size() == 1);
  const Json& fields = managers.items()[0]["fieldsV1"]["f:spec"];
  for (const char* asked : {"f:containers", "f:restartPolicy", "f:schedulerName"})
    CHECK(fields.contains(asked));
  for (const char* added : {"f:volumes", "f:tolerations", "f:priority", "f:serviceAccountName"})
    CHECK_FALSE(fields.contains(added));
  CHECK(spec["containers"].items()[0]["volumeMounts"].items()[0]["name"].as_string() == volume);
  CHECK(spec["tolerations"].size() == 2);
  CHECK(spec["priority"].as_int(-1) == 0);
  CHECK(std::as_const(tree)["status"]["phase"].as_string() == "Pending");
  CHECK(std::as_const(tree)["status"]["qosClass"].as_string() == "BestEffort");
}

TEST_CASE("an unscheduled pod dies at once, a bound one waits for its node") {
  ApiFixture api;
  make_account(api);
  REQUIRE(api.call("POST", kPods, pod("p")).status == 201);
  REQUIRE(api.call("DELETE", kPods + "/p").status == 200);
  CHECK(api.call("GET", kPods + "/p").status == 404);

  REQUIRE(api.call("POST", kPods, pod("p")).status == 201);
  const std::string bind = R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}})";
  auto bound = api.call("POST", kPods + "/p/binding", bind);
  CHECK(bound.status == 201);
  auto twice = api.call("POST", kPods + "/p/binding", bind);
  CHECK(twice.status == 409);
  CHECK(twice.message().find("is already assigned to node \"n1\"") != std::string::npos);
  auto deleted = api.call("DELETE", kPods + "/p");
  CHECK(deleted.json()["metadata"]["deletionGracePeriodSeconds"].as_int() == 30);
  CHECK(api.call("GET", kPods + "/p").status == 200);
  CHECK(api.call("DELETE", kPods + "/p?gracePeriodSeconds=0").status == 200);
  CHECK(api.call("GET", kPods + "/p").status == 404);
}

TEST_CASE("status is changed only through its subresource") {
  ApiFixture api;
  make_account(api);
  REQUIRE(api.call("POST", kPods, pod("p")).status == 201);
  auto ignored = api.call("PATCH", kPods + "/p", R"({"status":{"phase":"Running"}})",
                          "application/merge-patch+json");
  CHECK(ignored.json()["status"]["phase"].as_string() == "Pending");
  auto changed = api.call("PATCH", kPods + "/p/status",
                          R"({"status":{"phase":"Running"},"spec":{"nodeName":"x"}})",
                          "application/merge-patch+json");
  REQUIRE(changed.status == 200);
  CHECK(changed.json()["status"]["phase"].as_string() == "Running");
  CHECK_FALSE(changed.json()["spec"].contains("nodeName"));
}

TEST_CASE("a namespace that goes takes nothing new and ends when it is finalized") {
  ApiFixture api;
  REQUIRE(api.call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"x"}})").status == 201);
  auto nowhere =
      api.call("POST", "/api/v1/namespaces/y/configmaps", R"({"metadata":{"name":"a"}})");
  CHECK(nowhere.status == 404);
  CHECK(nowhere.message() == "namespaces \"y\" not found");
  auto gone = api.call("DELETE", "/api/v1/namespaces/x");
  CHECK(gone.json()["status"]["phase"].as_string() == "Terminating");
  auto late = api.call("POST", "/api/v1/namespaces/x/configmaps", R"({"metadata":{"name":"a"}})");
  CHECK(late.status == 403);
  CHECK(late.message().find("unable to create new content in namespace x because it is being "
                            "terminated") != std::string::npos);
  auto object = api.call("GET", "/api/v1/namespaces/x").json();
  object["spec"].set("finalizers", Json::array());
  auto finalized = api.call("PUT", "/api/v1/namespaces/x/finalize", codec::write_json(object));
  CHECK(finalized.status == 200);
  CHECK(api.call("GET", "/api/v1/namespaces/x").status == 404);
  auto immortal = api.call("DELETE", "/api/v1/namespaces/default");
  CHECK(immortal.status == 403);
  CHECK(immortal.message() ==
        "namespaces \"default\" is forbidden: this namespace may not be deleted");
}

TEST_CASE("scale, generation and secrets behave as upstream's") {
  ApiFixture api;
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";
  auto made = api.call("POST", deployments, R"({"metadata":{"name":"d"},"spec":{
    "replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
    "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  REQUIRE(made.status == 201);
  CHECK(made.json()["metadata"]["generation"].as_int() == 1);
  auto scale = api.call("GET", deployments + "/d/scale").json();
  CHECK(scale["kind"].as_string() == "Scale");
  CHECK(scale["spec"]["replicas"].as_int() == 2);
  auto scaled = api.call("PATCH", deployments + "/d/scale", R"({"spec":{"replicas":5}})",
                         "application/merge-patch+json");
  CHECK(scaled.status == 200);
  CHECK(scaled.json()["spec"]["replicas"].as_int() == 5);
  auto after = api.call("GET", deployments + "/d").json();
  CHECK(after["spec"]["replicas"].as_int() == 5);
  CHECK(after["metadata"]["generation"].as_int() == 2);
  CHECK(api.call("PATCH", deployments + "/d/scale", R"({"spec":{"replicas":-1}})",
                 "application/merge-patch+json")
            .status == 422);

  auto secret = api.call("POST", "/api/v1/namespaces/default/secrets",
                         R"({"metadata":{"name":"s"},"stringData":{"k":"v"}})");
  REQUIRE(secret.status == 201);
  CHECK(secret.json()["data"]["k"].as_string() == "dg==");
  CHECK_FALSE(secret.json().contains("stringData"));
}

TEST_CASE("both groups of events show one store") {
  ApiFixture api;
  auto made = api.call("POST", "/api/v1/namespaces/default/events",
                       R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p",
      "namespace":"default"},"reason":"R","message":"text","type":"Normal"})");
  REQUIRE(made.status == 201);
  auto other = api.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e").json();
  CHECK(other["apiVersion"].as_string() == "events.k8s.io/v1");
  CHECK(other["note"].as_string() == "text");
  CHECK(other["regarding"]["name"].as_string() == "p");
  auto selected = api.call("GET", "/api/v1/events?fieldSelector=involvedObject.name%3Dp").json();
  CHECK(selected["items"].size() == 1);
  base::CancelSource stop;
  base::spawn_detached(api.loop, api.server->run(stop.token()));
  api.loop.advance(std::chrono::hours(2));
  stop.cancel();
  api.loop.run_ready();
  CHECK(api.call("GET", "/api/v1/namespaces/default/events/e").status == 404);
}
