#include "cluster_fixture.h"
#include "controllers/nodes/node_cidr.h"

using namespace skiff;
using namespace skiff::test;

namespace {

Json config_map(std::string_view name, const Json* owner, bool block = false) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  if (owner != nullptr) {
    Json reference = Json::object({{"apiVersion", (*owner)["apiVersion"]},
                                   {"kind", (*owner)["kind"]},
                                   {"name", owner->at({"metadata", "name"})},
                                   {"uid", owner->at({"metadata", "uid"})}});
    if (block) reference.set("blockOwnerDeletion", true);
    object["metadata"].set("ownerReferences", Json::array({std::move(reference)}));
  }
  return object;
}

bool exists(ControllerFixture& f, const std::string& name) {
  return f.live(resources::config_maps, "default/" + name).is_object();
}

Json put_map(ControllerFixture& f, std::string_view name, const Json* owner = nullptr,
             bool block = false) {
  f.api.put(resources::config_maps, config_map(name, owner, block));
  return f.live(resources::config_maps, "default/" + std::string(name));
}

Json node(ControllerFixture& f, std::string_view name) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  object["metadata"].set("name", name);
  Json ready = Json::object({{"type", "Ready"}, {"status", "True"}});
  ready.set("lastHeartbeatTime", base::format_rfc3339(f.loop.now()));
  object["status"].set("conditions", Json::array({std::move(ready)}));
  return object;
}

void renew_lease(ControllerFixture& f, std::string_view name) {
  Json lease = Json::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
  lease["metadata"].set("name", name);
  lease["metadata"].set("namespace", "kube-node-lease");
  lease["spec"].set("renewTime", base::format_rfc3339_micro(f.loop.now()));
  f.api.put(resources::leases, std::move(lease));
}

std::vector<std::string> taints(ControllerFixture& f, const std::string& name) {
  std::vector<std::string> result;
  const Json live = f.live(resources::nodes, name);
  for (const Json& taint : live.at({"spec", "taints"}).items())
    result.push_back(base::concat(taint["key"].as_string(), ":", taint["effect"].as_string()));
  return result;
}

Json pod_on(std::string_view name, std::string_view node_name) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["spec"].set("nodeName", node_name);
  Json toleration = Json::object({{"key", "node.kubernetes.io/unreachable"},
                                  {"operator", "Exists"},
                                  {"effect", "NoExecute"},
                                  {"tolerationSeconds", 300}});
  object["spec"].set("tolerations", Json::array({std::move(toleration)}));
  object["status"].set("phase", "Running");
  Json ready = Json::object({{"type", "Ready"}, {"status", "True"}});
  object["status"].set("conditions", Json::array({std::move(ready)}));
  return object;
}

}  // namespace

TEST_CASE("dependents of a deleted owner go in the background, also those of dependents") {
  ControllerFixture f;
  Json a = put_map(f, "a");
  Json b = put_map(f, "b", &a);
  put_map(f, "c", &b);
  put_map(f, "free");
  f.settle();
  f.remove(resources::config_maps, "default", "a");
  f.settle();
  CHECK_FALSE(exists(f, "b"));
  CHECK_FALSE(exists(f, "c"));
  CHECK(exists(f, "free"));
}

TEST_CASE("an object whose owner never existed, or exists with another uid, is garbage") {
  ControllerFixture f;
  Json owner = put_map(f, "owner");
  Json stranger = owner;
  stranger["metadata"].set("uid", "11111111-1111-4111-8111-111111111111");
  put_map(f, "child", &owner);
  put_map(f, "foundling", &stranger);
  Json unknown = owner;
  unknown.set("kind", "Widget");
  unknown.set("apiVersion", "example.com/v1");
  put_map(f, "of-unknown-kind", &unknown);
  f.settle();
  CHECK(exists(f, "child"));
  CHECK_FALSE(exists(f, "foundling"));
  CHECK(exists(f, "of-unknown-kind"));
}

TEST_CASE("one owner of two may go: its reference is dropped") {
  ControllerFixture f;
  Json a = put_map(f, "a"), b = put_map(f, "b");
  Json child = config_map("child", &a);
  Json second = config_map("x", &b).at({"metadata", "ownerReferences"}).items()[0];
  child["metadata"]["ownerReferences"].push_back(second);
  f.api.put(resources::config_maps, std::move(child));
  f.settle();
  f.remove(resources::config_maps, "default", "a");
  f.settle();
  REQUIRE(exists(f, "child"));
  Json live = f.live(resources::config_maps, "default/child");
  REQUIRE(live.at({"metadata", "ownerReferences"}).size() == 1);
  CHECK(live.at({"metadata", "ownerReferences"}).items()[0]["name"].as_string() == "b");
}

TEST_CASE("orphaning lets dependents live without the owner") {
  ControllerFixture f;
  Json a = put_map(f, "a");
  put_map(f, "child", &a);
  f.settle();
  f.remove(resources::config_maps, "default", "a", "Orphan");
  f.settle();
  CHECK_FALSE(exists(f, "a"));
  REQUIRE(exists(f, "child"));
  CHECK(
      f.live(resources::config_maps, "default/child").at({"metadata", "ownerReferences"}).empty());
}

TEST_CASE("foreground deletion ends with the last dependent that blocks it") {
  ControllerFixture f;
  Json a = put_map(f, "a");
  Json held = config_map("child", &a, true);
  held["metadata"].set("finalizers", Json::array({Json("test/hold")}));
  f.api.put(resources::config_maps, std::move(held));
  f.settle();
  f.remove(resources::config_maps, "default", "a", "Foreground");
  f.settle();
  REQUIRE(exists(f, "a"));
  CHECK(api::is_being_deleted(f.live(resources::config_maps, "default/child")));
  f.api.erase(resources::config_maps, "default/child");
  f.settle();
  CHECK_FALSE(exists(f, "a"));
}

TEST_CASE("a circle of owners does not wait for itself") {
  ControllerFixture f;
  Json a = put_map(f, "a"), b = put_map(f, "b"), c = put_map(f, "c");
  auto own = [&](std::string_view name, const Json& owner) {
    Json references = config_map("x", &owner, true).at({"metadata", "ownerReferences"});
    f.change(resources::config_maps, base::concat("default/", name),
             [&](Json& map) { map["metadata"].set("ownerReferences", references); });
  };
  own("a", c);
  own("b", a);
  own("c", b);
  f.settle();
  f.remove(resources::config_maps, "default", "a", "Foreground");
  f.settle();
  CHECK_FALSE(exists(f, "a"));
  CHECK_FALSE(exists(f, "b"));
  CHECK_FALSE(exists(f, "c"));
}

TEST_CASE("every namespace has its default account and the cluster's root certificate") {
  ControllerFixture f;
  f.settle();
  CHECK(f.live(resources::service_accounts, "default/default").is_object());
  CHECK(f.live(resources::config_maps, "default/kube-root-ca.crt")
            .at({"data", "ca.crt"})
            .as_string() == f.trust->bundle_pem());
  f.api.erase(resources::service_accounts, "default/default");
  f.change(resources::config_maps, "default/kube-root-ca.crt",
           [](Json& map) { map["data"].set("ca.crt", "forged"); });
  f.put_namespace("other");
  f.settle();
  CHECK(f.live(resources::service_accounts, "default/default").is_object());
  CHECK(f.live(resources::service_accounts, "other/default").is_object());
  CHECK(f.live(resources::config_maps, "default/kube-root-ca.crt")
            .at({"data", "ca.crt"})
            .as_string() == f.trust->bundle_pem());
}

TEST_CASE("a deleted namespace is emptied, tells what it waits for, and goes") {
  ControllerFixture f;
  f.put_namespace("team");
  Json held = config_map("held", nullptr);
  held["metadata"].set("namespace", "team");
  held["metadata"].set("finalizers", Json::array({Json("test/hold")}));
  f.api.put(resources::config_maps, held);
  Json object = f.deployment("web", 2, "web:1");
  object["metadata"].set("namespace", "team");
  f.api.put(resources::deployments, std::move(object));
  f.settle();
  CHECK(f.api.objects(resources::pods).size() == 2);
  f.remove(resources::namespaces, "", "team");
  f.settle(10s);
  Json live = f.live(resources::namespaces, "team");
  REQUIRE(live.is_object());
  CHECK(live.at({"status", "phase"}).as_string() == "Terminating");
  CHECK(api::find_condition(live, "NamespaceContentRemaining")["message"].as_string() ==
        "Some resources are remaining: configmaps has 1 resource instances");
  CHECK(api::find_condition(live, "NamespaceFinalizersRemaining")["message"].as_string() ==
        "Some content in the namespace has finalizers remaining: test/hold in 1 resource "
        "instances");
  CHECK(f.api.objects(resources::pods).empty());
  f.api.erase(resources::config_maps, "team/held");
  f.settle(10s);
  CHECK(f.live(resources::namespaces, "team").is_null());
  CHECK(f.live(resources::service_accounts, "team/default").is_null());
  CHECK(f.live(resources::namespaces, "default").is_object());
}

TEST_CASE("nodes get blocks of the cluster's addresses, and a freed block is used again") {
  ControllerFixture f;
  f.api.put(resources::nodes, node(f, "a"));
  f.api.put(resources::nodes, node(f, "b"));
  f.settle();
  auto cidr = [&](const std::string& name) {
    return std::string(f.live(resources::nodes, name).at({"spec", "podCIDR"}).as_string());
  };
  CHECK(cidr("a") == "10.42.0.0/24");
  CHECK(cidr("b") == "10.42.1.0/24");
  f.api.erase(resources::nodes, "a");
  f.api.put(resources::nodes, node(f, "c"));
  f.settle();
  CHECK(cidr("c") == "10.42.0.0/24");
}

TEST_CASE("a node for which no block is left gets the first that is given back") {
  ControllerFixture f("10.42.0.0/23");
  auto cidr = [&](const std::string& name) {
    return std::string(f.live(resources::nodes, name).at({"spec", "podCIDR"}).as_string());
  };
  for (const char* name : {"a", "b", "c", "d"}) {
    f.api.put(resources::nodes, node(f, name));
    f.settle();
  }
  CHECK(cidr("b") == "10.42.1.0/24");
  CHECK(cidr("c").empty());
  f.change(resources::nodes, "c", [](Json& n) { n["metadata"]["labels"].set("a", "b"); });
  f.settle();
  CHECK(f.events("CIDRNotAvailable") ==
        std::vector<std::string>{"Node c status is now: CIDRNotAvailable",
                                 "Node d status is now: CIDRNotAvailable"});
  f.api.erase(resources::nodes, "b");
  f.settle();
  CHECK(cidr("c") == "10.42.1.0/24");
  CHECK(cidr("d").empty());
  f.api.erase(resources::nodes, "c");
  f.settle();
  CHECK(cidr("d") == "10.42.1.0/24");
}

TEST_CASE("a block is free when all who took it gave it back") {
  auto range = controllers::NodeCidrRange::parse("10.42.0.0/22");
  REQUIRE(range.is_ok());
  controllers::NodeCidrPool pool(*range);
  for (const char* block : {"10.42.0.0/24", "10.42.1.0/24", "10.42.1.0/24", "10.43.0.0/24", "",
                            "10.42.2.0/25", "fd00::/64", "10.41.255.0/24"})
    pool.take(block);
  CHECK(pool.first_free() == "10.42.2.0/24");
  pool.give_back("10.42.1.0/24");
  CHECK(pool.first_free() == "10.42.2.0/24");
  pool.give_back("10.42.1.0/24");
  CHECK(pool.first_free() == "10.42.1.0/24");
  for (const char* block : {"10.42.1.0/24", "10.42.2.0/24", "10.42.3.0/24"}) pool.take(block);
  CHECK_FALSE(pool.first_free());
  pool.give_back("10.42.9.0/24");
  pool.give_back("10.42.3.0/24");
  CHECK(pool.first_free() == "10.42.3.0/24");
}

TEST_CASE("a silent node becomes Unknown, is tainted, and its pods leave after their toleration") {
  ControllerFixture f;
  f.pods_run = false;
  f.api.put(resources::nodes, node(f, "dead"));
  f.api.put(resources::nodes, node(f, "well"));
  f.api.put(resources::pods, pod_on("p", "dead"));
  f.settle();
  for (int i = 0; i < 5; ++i) {
    renew_lease(f, "well");
    renew_lease(f, "dead");
    f.settle(10s);
  }
  CHECK(taints(f, "dead").empty());
  for (int i = 0; i < 6; ++i) {
    renew_lease(f, "well");
    f.settle(10s);
  }
  Json dead = f.live(resources::nodes, "dead");
  CHECK(api::find_condition(dead, "Ready")["status"].as_string() == "Unknown");
  CHECK(api::find_condition(dead, "Ready")["reason"].as_string() == "NodeStatusUnknown");
  CHECK(taints(f, "dead") == std::vector<std::string>{"node.kubernetes.io/unreachable:NoSchedule",
                                                      "node.kubernetes.io/unreachable:NoExecute"});
  CHECK(taints(f, "well").empty());
  Json pod = f.live(resources::pods, "default/p");
  CHECK(api::find_condition(pod, "Ready")["status"].as_string() == "False");
  CHECK_FALSE(api::is_being_deleted(pod));
  for (int i = 0; i < 31; ++i) {
    renew_lease(f, "well");
    f.settle(10s);
  }
  pod = f.live(resources::pods, "default/p");
  CHECK(api::is_being_deleted(pod));
  CHECK(f.events("TaintManagerEviction") ==
        std::vector<std::string>{"Marking for deletion Pod default/p"});

  // It comes back: conditions are the node's own business, the taints go.
  f.change(resources::nodes, "dead",
           [&](Json& object) { object.set("status", node(f, "dead")["status"]); });
  renew_lease(f, "dead");
  f.settle();
  CHECK(taints(f, "dead").empty());
}

TEST_CASE("a clock that jumps evicts nobody before their toleration is over, and then it does") {
  const auto jump = GENERATE(std::chrono::hours(24 * 3650), std::chrono::hours(-24 * 365 * 50));
  ControllerFixture f;
  f.pods_run = false;
  f.api.put(resources::nodes, node(f, "dead"));
  f.api.put(resources::nodes, node(f, "well"));
  f.api.put(resources::pods, pod_on("p", "dead"));
  auto pass = [&](int times) {
    for (int i = 0; i < times; ++i) {
      renew_lease(f, "well");
      f.settle(10s);
    }
  };
  pass(7);
  CHECK(taints(f, "dead").size() == 2);
  CHECK(taints(f, "well").empty());
  f.loop.jump_wall_clock(jump);
  // Anything that makes the controllers look again.
  f.change(resources::nodes, "dead",
           [](Json& object) { object["metadata"]["labels"].set("a", "b"); });
  pass(20);
  CHECK(taints(f, "well").empty());
  CHECK_FALSE(api::is_being_deleted(f.live(resources::pods, "default/p")));
  pass(15);
  CHECK(api::is_being_deleted(f.live(resources::pods, "default/p")));
}

TEST_CASE("a taint without a time evicts after what each pod tolerates, from when it was seen") {
  ControllerFixture f;
  f.pods_run = false;
  auto tolerant = [](std::string_view name, int seconds) {
    Json object = pod_on(name, "n");
    object["spec"]["tolerations"].push_back(Json::object({{"key", "maintenance"},
                                                          {"operator", "Exists"},
                                                          {"effect", "NoExecute"},
                                                          {"tolerationSeconds", seconds}}));
    return object;
  };
  auto settle = [&](base::Duration time) {
    f.change(resources::nodes, "n", [&](Json& object) {
      object.set("status", node(f, "n")["status"]);  // a heartbeat
    });
    f.settle(time);
  };
  auto leaves = [&](const char* name) {
    return api::is_being_deleted(f.live(resources::pods, base::concat("default/", name)));
  };
  f.api.put(resources::nodes, node(f, "n"));
  f.api.put(resources::pods, tolerant("short", 10));
  f.api.put(resources::pods, tolerant("long", 40));
  f.api.put(resources::pods, pod_on("none", "n"));
  settle(30s);
  f.change(resources::nodes, "n", [](Json& object) {
    object["spec"].set(
        "taints", Json::array({Json::object({{"key", "maintenance"}, {"effect", "NoExecute"}})}));
  });
  settle(5s);
  CHECK(leaves("none"));
  CHECK_FALSE(leaves("short"));
  settle(7s);
  CHECK(leaves("short"));
  CHECK_FALSE(leaves("long"));
  f.api.put(resources::pods, tolerant("late", 10));
  settle(5s);
  CHECK_FALSE(leaves("late"));
  settle(6s);
  CHECK(leaves("late"));
  f.change(resources::nodes, "n", [](Json& object) { object["spec"].erase("taints"); });
  settle(40s);
  CHECK_FALSE(leaves("long"));
}

TEST_CASE("when no node is well nothing is evicted") {
  ControllerFixture f;
  f.pods_run = false;
  f.api.put(resources::nodes, node(f, "only"));
  f.api.put(resources::pods, pod_on("p", "only"));
  f.settle(10min);
  CHECK(taints(f, "only") == std::vector<std::string>{"node.kubernetes.io/unreachable:NoSchedule"});
  CHECK_FALSE(api::is_being_deleted(f.live(resources::pods, "default/p")));
}

TEST_CASE("the first node that is well, and the last, decide about the taints of all others") {
  ControllerFixture f;
  f.pods_run = false;
  const std::vector<std::string> stays = {"node.kubernetes.io/unreachable:NoSchedule"};
  const std::vector<std::string> leaves = {"node.kubernetes.io/unreachable:NoSchedule",
                                           "node.kubernetes.io/unreachable:NoExecute"};
  for (const char* name : {"a", "b", "c", "d"}) f.api.put(resources::nodes, node(f, name));
  f.settle(70s);
  for (const char* name : {"a", "b", "c", "d"}) CHECK(taints(f, name) == stays);
  auto come_back = [&](const std::string& name) {
    f.change(resources::nodes, name,
             [&](Json& object) { object.set("status", node(f, name)["status"]); });
    f.settle();
  };
  come_back("a");
  CHECK(taints(f, "a").empty());
  CHECK(taints(f, "c") == leaves);
  come_back("b");
  f.api.erase(resources::nodes, "a");
  f.settle();
  CHECK(taints(f, "c") == leaves);
  f.api.erase(resources::nodes, "b");
  f.settle();
  CHECK(taints(f, "c") == stays);
  CHECK(taints(f, "d") == stays);
}

TEST_CASE("a cordoned node is tainted, an uncordoned one is not") {
  ControllerFixture f;
  f.api.put(resources::nodes, node(f, "a"));
  f.change(resources::nodes, "a", [](Json& n) { n["spec"].set("unschedulable", true); });
  f.settle();
  CHECK(taints(f, "a") == std::vector<std::string>{"node.kubernetes.io/unschedulable:NoSchedule"});
  f.change(resources::nodes, "a", [](Json& n) { n["spec"].erase("unschedulable"); });
  f.settle();
  CHECK(taints(f, "a").empty());
}

TEST_CASE("pods of a node that is gone are collected after the quarantine") {
  ControllerFixture f;
  f.pods_run = false;
  f.api.put(resources::nodes, node(f, "a"));
  f.api.put(resources::nodes, node(f, "b"));
  f.api.put(resources::pods, pod_on("p", "a"));
  f.api.put(resources::pods, pod_on("kept", "b"));
  Json waiting = pod_on("waiting", ""), leaving = pod_on("leaving", "");
  leaving["metadata"].set("deletionTimestamp", base::format_rfc3339(f.loop.now()));
  f.api.put(resources::pods, std::move(waiting));
  f.api.put(resources::pods, std::move(leaving));
  f.settle();
  f.api.erase(resources::nodes, "a");
  f.settle(30s);
  CHECK(f.live(resources::pods, "default/p").is_object());
  f.settle(15s);
  CHECK(f.live(resources::pods, "default/p").is_null());
  CHECK(f.live(resources::pods, "default/leaving").is_null());
  CHECK(f.live(resources::pods, "default/kept").is_object());
  CHECK(f.live(resources::pods, "default/waiting").is_object());
}

TEST_CASE("a cluster CIDR that gives no node a block is refused") {
  SimLoop loop;
  MemoryApi api(loop);
  auto random = base::seeded_random(1);
  for (const char* cidr : {"", "10.42.0.0", "10.42.0.0/25", "fd00::/48", "10.42.0.300/16"}) {
    controllers::ManagerOptions options;
    options.client = &api;
    options.executor = &loop;
    options.timers = &loop;
    options.random = random.get();
    options.cluster_cidr = cidr;
    CHECK(controllers::make_controller_manager(options).code() == base::Code::invalid_argument);
  }
}
