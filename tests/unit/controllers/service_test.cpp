#include "cluster_fixture.h"
#include "controllers/endpoints/plan_endpoints.h"

using namespace skiff;
using namespace skiff::test;
using controllers::JsonPtr;

namespace {

Json service(std::string_view name, std::string_view cluster_ip) {
  Json port = Json::object({{"name", "http"}, {"port", 80}, {"targetPort", "web"}});
  port.set("protocol", "TCP");
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Service"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["metadata"]["labels"].set("team", "a");
  object["spec"].set("selector", Json::object({{"app", "web"}}));
  object["spec"].set("clusterIP", cluster_ip);
  object["spec"].set("ports", Json::array({std::move(port)}));
  return object;
}

Json pod(std::string_view name, std::string_view ip, bool ready) {
  Json container_port = Json::object({{"name", "web"}, {"containerPort", 8080}});
  Json container = Json::object({{"name", "c"}});
  container.set("ports", Json::array({std::move(container_port)}));
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["metadata"]["labels"].set("app", "web");
  object["spec"].set("nodeName", "edge-1");
  object["spec"].set("containers", Json::array({std::move(container)}));
  object["status"].set("phase", "Running");
  if (!ip.empty()) object["status"].set("podIP", ip);
  Json condition = Json::object({{"type", "Ready"}, {"status", ready ? "True" : "False"}});
  object["status"].set("conditions", Json::array({std::move(condition)}));
  return object;
}

std::vector<Json> slices(ControllerFixture& f) { return f.api.objects(resources::endpoint_slices); }

}  // namespace

TEST_CASE("a service gets its slice and its Endpoints object, which follow readiness") {
  ControllerFixture f;
  f.pods_run = false;
  f.api.put(resources::services, service("web", "10.43.0.7"));
  f.settle();
  REQUIRE(slices(f).size() == 1);  // the placeholder
  CHECK(slices(f)[0]["endpoints"].empty());
  f.api.put(resources::pods, pod("a", "10.42.0.5", true));
  f.api.put(resources::pods, pod("b", "10.42.0.6", false));
  f.api.put(resources::pods, pod("starting", "", false));
  f.settle();
  REQUIRE(slices(f).size() == 1);
  Json slice = slices(f)[0];
  CHECK(slice["addressType"].as_string() == "IPv4");
  CHECK(api::label(slice, "kubernetes.io/service-name") == "web");
  CHECK(api::label(slice, "endpointslice.kubernetes.io/managed-by") ==
        "endpointslice-controller.k8s.io");
  CHECK(api::label(slice, "team") == "a");
  CHECK(api::controller_of(slice)["kind"].as_string() == "Service");
  REQUIRE(slice["endpoints"].size() == 2);
  CHECK(slice["ports"].items()[0]["port"].as_int() == 8080);
  CHECK(slice["ports"].items()[0]["name"].as_string() == "http");
  Json endpoints = f.live(resources::endpoints, "default/web");
  REQUIRE(endpoints["subsets"].size() == 1);
  const Json& subset = endpoints["subsets"].items()[0];
  CHECK(subset["addresses"].items()[0]["ip"].as_string() == "10.42.0.5");
  CHECK(subset["notReadyAddresses"].items()[0]["ip"].as_string() == "10.42.0.6");
  CHECK(subset["ports"].items()[0]["port"].as_int() == 8080);

  // A pod that is asked to end is no longer ready, but may still serve.
  f.remove(resources::pods, "default", "a");
  f.settle();
  const Json listed = slices(f)[0];
  const Json& ending = listed["endpoints"].items()[0];
  CHECK_FALSE(ending.at({"conditions", "ready"}).as_bool());
  CHECK(ending.at({"conditions", "serving"}).as_bool());
  CHECK(ending.at({"conditions", "terminating"}).as_bool());
  CHECK_FALSE(
      f.live(resources::endpoints, "default/web")["subsets"].items()[0].contains("addresses"));
  f.api.erase(resources::services, "default/web");
  f.settle();
  CHECK(f.live(resources::endpoints, "default/web").is_null());
  CHECK(slices(f).empty());  // by the garbage collector
}

TEST_CASE("services without a selector are left to their users") {
  ControllerFixture f;
  Json object = service("manual", "10.43.0.8");
  object["spec"].erase("selector");
  f.api.put(resources::services, std::move(object));
  Json external = service("external", "");
  external["spec"].set("type", "ExternalName");
  f.api.put(resources::services, std::move(external));
  f.settle();
  CHECK(slices(f).empty());
  CHECK(f.api.objects(resources::endpoints).empty());
}

TEST_CASE("headless services carry hostnames and may publish pods that are not ready") {
  Json headless = service("db", "None");
  headless["spec"].set("publishNotReadyAddresses", true);
  Json member = pod("db-0", "10.42.0.9", false);
  member["spec"].set("hostname", "db-0");
  member["spec"].set("subdomain", "db");
  std::vector<JsonPtr> pods = {std::make_shared<const Json>(member)};
  auto endpoints = controllers::plan_pod_endpoints(
      headless, pods, [](std::string_view) { return std::string("zone-a"); });
  REQUIRE(endpoints.size() == 1);
  CHECK(endpoints[0].endpoint["hostname"].as_string() == "db-0");
  CHECK(endpoints[0].endpoint["zone"].as_string() == "zone-a");
  CHECK(endpoints[0].endpoint.at({"conditions", "ready"}).as_bool());
  auto plan = controllers::plan_endpoint_slices(headless, endpoints, {});
  REQUIRE(plan.create.size() == 1);
  CHECK(plan.create[0].at({"metadata", "labels"}).contains("service.kubernetes.io/headless"));
  Json object = controllers::plan_endpoints(headless, pods, nullptr);
  CHECK(object["subsets"].items()[0]["addresses"].items()[0]["hostname"].as_string() == "db-0");
}

TEST_CASE("slices hold a hundred endpoints, and a change touches only its slice") {
  Json object = service("web", "10.43.0.7");
  std::vector<JsonPtr> pods;
  for (int i = 0; i < 250; ++i)
    pods.push_back(std::make_shared<const Json>(
        pod("p" + std::to_string(i), "10.42.1." + std::to_string(i), true)));
  auto no_zone = [](std::string_view) { return std::string(); };
  auto first = controllers::plan_endpoint_slices(
      object, controllers::plan_pod_endpoints(object, pods, no_zone), {});
  REQUIRE(first.create.size() == 3);
  std::vector<JsonPtr> present;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(first.create[i]["endpoints"].size() <= 100);
    Json slice = first.create[i];
    slice["metadata"].set("name", "web-" + std::to_string(i));
    present.push_back(std::make_shared<const Json>(std::move(slice)));
  }
  auto same = controllers::plan_endpoint_slices(
      object, controllers::plan_pod_endpoints(object, pods, no_zone), present);
  CHECK(same.create.empty());
  CHECK(same.update.empty());
  CHECK(same.remove.empty());
  pods.erase(pods.begin() + 7);
  auto less = controllers::plan_endpoint_slices(
      object, controllers::plan_pod_endpoints(object, pods, no_zone), present);
  CHECK(less.create.empty());
  CHECK(less.update.size() == 1);
}

TEST_CASE("a slice whose ports leave defaults out is the same slice") {
  Json object = service("web", "10.43.0.7");
  object["spec"]["ports"].mutable_items()[0].erase("name");
  std::vector<JsonPtr> pods = {std::make_shared<const Json>(pod("a", "10.42.0.5", true))};
  auto endpoints =
      controllers::plan_pod_endpoints(object, pods, [](auto) { return std::string(); });
  Json slice = controllers::plan_endpoint_slices(object, endpoints, {}).create.at(0);
  slice["ports"].mutable_items()[0].erase("name");
  slice["ports"].mutable_items()[0].erase("protocol");
  auto plan =
      controllers::plan_endpoint_slices(object, endpoints, {std::make_shared<const Json>(slice)});
  CHECK(plan.create.empty());
  CHECK(plan.update.empty());
  CHECK(plan.remove.empty());
}

TEST_CASE("a change carries the time at which a pod brought it about") {
  Json object = service("web", "10.43.0.7");
  object["metadata"].set("creationTimestamp", "2026-01-01T00:00:00Z");
  Json changed = pod("a", "10.42.0.5", true);
  changed["status"]["conditions"].mutable_items()[0].set("lastTransitionTime",
                                                         "2026-01-01T00:05:00Z");
  std::vector<JsonPtr> pods = {std::make_shared<const Json>(std::move(changed))};
  auto endpoints =
      controllers::plan_pod_endpoints(object, pods, [](auto) { return std::string(); });
  Json slice = controllers::plan_endpoint_slices(object, endpoints, {}).create.at(0);
  constexpr char kAnnotation[] = "endpoints.kubernetes.io/last-change-trigger-time";
  CHECK(api::annotation(slice, kAnnotation) == "2026-01-01T00:05:00Z");
  Json old = controllers::plan_endpoints(object, pods, nullptr);
  CHECK(api::annotation(old, kAnnotation) == "2026-01-01T00:05:00Z");
  CHECK(controllers::plan_endpoints(object, pods, old) == old);
  CHECK(api::annotation(controllers::plan_endpoint_slices(object, {}, {}).create.at(0),
                        kAnnotation) == "2026-01-01T00:00:00Z");
}

TEST_CASE("pods that resolve a named port differently get slices of their own") {
  Json object = service("web", "10.43.0.7");
  Json other = pod("other", "10.42.0.8", true);
  other["spec"]["containers"].mutable_items()[0]["ports"].mutable_items()[0].set("containerPort",
                                                                                 9090);
  std::vector<JsonPtr> pods = {std::make_shared<const Json>(pod("a", "10.42.0.5", true)),
                               std::make_shared<const Json>(other)};
  auto plan = controllers::plan_endpoint_slices(
      object, controllers::plan_pod_endpoints(object, pods, [](auto) { return std::string(); }),
      {});
  CHECK(plan.create.size() == 2);
  CHECK(controllers::plan_endpoints(object, pods, nullptr)["subsets"].size() == 2);
}

TEST_CASE("Endpoints of a service without a selector are mirrored into slices") {
  ControllerFixture f;
  Json without = service("own", "10.43.0.8");
  without["spec"].erase("selector");
  f.api.put(resources::services, std::move(without));
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Endpoints"}});
  object["metadata"].set("name", "own");
  object["metadata"].set("namespace", "default");
  object["metadata"]["labels"].set("team", "a");
  object.set("subsets", *codec::parse_json(R"([{"addresses":[{"ip":"10.1.2.3"},{"ip":"10.1.2.3"}],
      "notReadyAddresses":[{"ip":"10.1.2.4"}],"ports":[{"name":"example","port":80}]}])"));
  f.api.put(resources::endpoints, object);
  f.settle();
  REQUIRE(slices(f).size() == 1);
  Json slice = slices(f)[0];
  CHECK(api::label(slice, "kubernetes.io/service-name") == "own");
  CHECK(api::label(slice, "team") == "a");
  CHECK(api::label(slice, "endpointslice.kubernetes.io/managed-by") ==
        "endpointslicemirroring-controller.k8s.io");
  CHECK(slice["endpoints"] == *codec::parse_json(R"([
      {"addresses":["10.1.2.3"],"conditions":{"ready":true}},
      {"addresses":["10.1.2.4"],"conditions":{"ready":false}}])"));
  CHECK(slice["ports"] == *codec::parse_json(R"([{"name":"example","port":80,"protocol":"TCP"}])"));
  CHECK(slice.at({"metadata", "ownerReferences"}).items()[0]["kind"].as_string() == "Endpoints");

  const std::string name(api::name_of(slice));
  f.change(resources::endpoints, "default/own", [](Json& live) {
    live["subsets"].mutable_items()[0]["addresses"].mutable_items()[0].set("ip", "10.2.3.4");
  });
  f.settle();
  REQUIRE(slices(f).size() == 1);
  CHECK(api::name_of(slices(f)[0]) == name);
  CHECK(slices(f)[0]["endpoints"].items()[1]["addresses"].items()[0].as_string() == "10.1.2.4");

  f.change(resources::endpoints, "default/own", [](Json& live) {
    live["metadata"]["labels"].set("endpointslice.kubernetes.io/skip-mirror", "true");
  });
  f.settle();
  CHECK(slices(f).empty());
}

TEST_CASE("slices of mirrored Endpoints go with them") {
  ControllerFixture f;
  Json without = service("own", "10.43.0.8");
  without["spec"].erase("selector");
  f.api.put(resources::services, std::move(without));
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Endpoints"}});
  object["metadata"].set("name", "own");
  object["metadata"].set("namespace", "default");
  object.set("subsets",
             *codec::parse_json(R"([{"addresses":[{"ip":"10.1.2.3"}],"ports":[{"port":80}]}])"));
  f.api.put(resources::endpoints, object);
  f.settle();
  REQUIRE(slices(f).size() == 1);
  f.api.erase(resources::endpoints, "default/own");
  f.settle();
  CHECK(slices(f).empty());
}
