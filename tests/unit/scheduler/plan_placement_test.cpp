#include "scheduler/plan_placement.h"

#include "facts_for_tests.h"
#include "scheduler/limits.h"
#include "scheduler/scores.h"

using namespace skiff;
using namespace skiff::scheduler;
using test::json;
using test::node;
using test::place;

namespace {

Placement plan(const Cluster& cluster, const PodFacts& pod) {
  auto random = base::seeded_random(1);
  return plan_placement(cluster, pod, 0, *random);
}

std::string reason(const Cluster& cluster, std::string_view extra) {
  return plan(cluster, test::pod("p", "100m", "", extra)).message;
}

Cluster one_node(std::string_view labels = "{}") {
  Cluster cluster;
  cluster.put_node(node("edge-1", "2", "4Gi", labels));
  return cluster;
}

constexpr char kNoHelp[] =
    " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
constexpr char kNoVictims[] =
    " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

}  // namespace

TEST_CASE("a cluster without nodes says so") {
  CHECK(plan(Cluster(), test::pod("p", "", "")).message == "no nodes available to schedule pods");
}

TEST_CASE("what does not fit is told in upstream's words") {
  Cluster cluster = one_node();
  place(cluster, test::pod("big", "1500m", "3Gi"), "edge-1");
  CHECK(plan(cluster, test::pod("p", "1", "")).message ==
        std::string("0/1 nodes are available: 1 Insufficient cpu.") + kNoVictims);
  CHECK(plan(cluster, test::pod("p", "1", "2Gi")).message ==
        std::string("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.") +
            kNoVictims);
  CHECK(plan(cluster, test::pod("p", "3", "")).message ==
        std::string("0/1 nodes are available: 1 Insufficient cpu.") + kNoHelp);
  CHECK(plan(cluster, test::pod("p", "500m", "1Gi")).node == "edge-1");
  CHECK(plan(cluster, test::pod("p", "1", "", R"({"preemptionPolicy":"Never"})")).message ==
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to "
        "preemptionPolicy=Never.");
}

TEST_CASE("pods, ephemeral storage and extended resources are counted too") {
  codec::Json object = test::node_json("edge-1", "2", "4Gi");
  object["status"]["allocatable"].set("pods", "1");
  object["status"]["allocatable"].set("example.com/gpu", "2");
  object["status"]["allocatable"].set("ephemeral-storage", "1Gi");
  Cluster cluster;
  cluster.put_node(parse_node(object));
  auto with = [](std::string_view resource, std::string_view amount) {
    codec::Json pod = test::pod_json("p", "", "");
    pod["spec"]["containers"].mutable_items()[0]["resources"]["requests"].set(resource, amount);
    return parse_pod(pod);
  };
  CHECK(plan(cluster, with("example.com/gpu", "2")).node == "edge-1");
  CHECK(plan(cluster, with("example.com/gpu", "3")).message ==
        std::string("0/1 nodes are available: 1 Insufficient example.com/gpu.") + kNoHelp);
  CHECK(plan(cluster, with("ephemeral-storage", "2Gi")).message ==
        std::string("0/1 nodes are available: 1 Insufficient ephemeral-storage.") + kNoHelp);
  place(cluster, test::pod("other", "", ""), "edge-1");
  CHECK(plan(cluster, test::pod("p", "", "")).message ==
        std::string("0/1 nodes are available: 1 Too many pods.") + kNoVictims);
}

TEST_CASE("init containers count by their maximum, sidecars and overhead on top") {
  PodFacts facts = parse_pod(json(R"({"metadata":{"name":"p","namespace":"d"},"spec":{
    "overhead":{"cpu":"10m"},
    "initContainers":[
      {"name":"side","restartPolicy":"Always","resources":{"requests":{"cpu":"100m"}}},
      {"name":"heavy","resources":{"requests":{"cpu":"900m"}}}],
    "containers":[{"name":"c","resources":{"requests":{"cpu":"300m"}}}]}})"));
  CHECK(facts.use.requests.milli_cpu == 1010);
  PodFacts light = parse_pod(json(R"({"metadata":{"name":"p","namespace":"d"},"spec":{
    "initContainers":[{"name":"i","resources":{"requests":{"cpu":"50m"}}}],
    "containers":[{"name":"a","resources":{"requests":{"cpu":"300m"}}},{"name":"b"}]}})"));
  CHECK(light.use.requests.milli_cpu == 300);
  CHECK(light.use.scored_milli_cpu == 400);
}

TEST_CASE("node selectors and required affinity choose nodes by label, field and number") {
  Cluster cluster = one_node(R"({"zone":"a","gen":"4"})");
  std::string refused =
      std::string("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.") +
      kNoHelp;
  auto affinity = [&](std::string_view expression) {
    return reason(cluster, base::concat(R"({"affinity":{"nodeAffinity":{)"
                                        R"("requiredDuringSchedulingIgnoredDuringExecution":{)"
                                        R"("nodeSelectorTerms":[)",
                                        expression, "]}}}}"));
  };
  CHECK(reason(cluster, R"({"nodeSelector":{"zone":"a"}})").empty());
  CHECK(reason(cluster, R"({"nodeSelector":{"zone":"b"}})") == refused);
  CHECK(affinity(R"({"matchExpressions":[{"key":"zone","operator":"In","values":["a","b"]}]})") ==
        "");
  CHECK(affinity(R"({"matchExpressions":[{"key":"zone","operator":"NotIn","values":["a"]}]})") ==
        refused);
  CHECK(affinity(R"({"matchExpressions":[{"key":"gen","operator":"Gt","values":["3"]}]})") == "");
  CHECK(affinity(R"({"matchExpressions":[{"key":"gen","operator":"Lt","values":["3"]}]})") ==
        refused);
  CHECK(affinity(R"({"matchExpressions":[{"key":"none","operator":"Exists"}]})") == refused);
  CHECK(affinity(
            R"({"matchFields":[{"key":"metadata.name","operator":"In","values":["edge-1"]}]})") ==
        "");
  CHECK(affinity("{}") == refused);
  // Terms are alternatives.
  CHECK(affinity(R"({"matchExpressions":[{"key":"none","operator":"Exists"}]},)"
                 R"({"matchExpressions":[{"key":"zone","operator":"Exists"}]})") == "");
}

TEST_CASE("taints keep pods away that do not tolerate them") {
  codec::Json object = test::node_json("edge-1", "2", "4Gi");
  object["spec"].set("taints", json(R"([{"key":"role","value":"db","effect":"NoSchedule"}])"));
  Cluster cluster;
  cluster.put_node(parse_node(object));
  std::string refused =
      std::string("0/1 nodes are available: 1 node(s) had untolerated taint(s).") + kNoHelp;
  CHECK(reason(cluster, "{}") == refused);
  CHECK(reason(cluster, R"({"tolerations":[{"key":"role","value":"db"}]})").empty());
  CHECK(reason(cluster, R"({"tolerations":[{"key":"role","value":"web"}]})") == refused);
  CHECK(reason(cluster, R"({"tolerations":[{"operator":"Exists"}]})").empty());
  CHECK(reason(cluster, R"({"tolerations":[{"key":"role","operator":"Exists",)"
                        R"("effect":"NoExecute"}]})") == refused);
}

TEST_CASE("a cordoned node takes nothing but what tolerates it") {
  codec::Json object = test::node_json("edge-1", "2", "4Gi");
  object["spec"].set("unschedulable", true);
  Cluster cluster;
  cluster.put_node(parse_node(object));
  CHECK(reason(cluster, "{}") ==
        std::string("0/1 nodes are available: 1 node(s) were unschedulable.") + kNoHelp);
  CHECK(reason(cluster, R"({"tolerations":[{"key":"node.kubernetes.io/unschedulable",)"
                        R"("operator":"Exists"}]})")
            .empty());
}

TEST_CASE("host ports are free per address and protocol") {
  Cluster cluster = one_node();
  auto with_port = [](std::string_view name, std::string_view port) {
    codec::Json pod = test::pod_json(name, "", "");
    codec::Json ports = codec::Json::array();
    ports.push_back(json(port));
    pod["spec"]["containers"].mutable_items()[0].set("ports", ports);
    return parse_pod(pod);
  };
  place(cluster, with_port("a", R"({"hostPort":80,"hostIP":"127.0.0.1"})"), "edge-1");
  CHECK(plan(cluster, with_port("p", R"({"hostPort":80})")).message ==
        std::string("0/1 nodes are available: 1 node(s) didn't have free ports for the requested "
                    "pod ports.") +
            kNoVictims);
  CHECK(plan(cluster, with_port("p", R"({"hostPort":80,"protocol":"UDP"})")).node == "edge-1");
  CHECK(plan(cluster, with_port("p", R"({"hostPort":80,"hostIP":"10.0.0.1"})")).node == "edge-1");
  cluster.remove_pod("default/a");
  CHECK(plan(cluster, with_port("p", R"({"hostPort":80})")).node == "edge-1");
}

TEST_CASE("claims on volumes that do not exist are named") {
  CHECK(reason(one_node(), R"({"volumes":[{"persistentVolumeClaim":{"claimName":"data"}}]})") ==
        std::string("0/1 nodes are available: persistentvolumeclaim \"data\" not found.") +
            kNoHelp);
}

TEST_CASE("the emptier node wins, preferences outweigh it") {
  Cluster cluster;
  cluster.put_node(node("a", "4", "8Gi", R"({"disk":"ssd"})"));
  cluster.put_node(node("b", "4", "8Gi"));
  place(cluster, test::pod("x", "2", "4Gi"), "a");
  CHECK(plan(cluster, test::pod("p", "100m", "100Mi")).node == "b");
  CHECK(plan(cluster, test::pod("p", "100m", "100Mi", R"({"affinity":{"nodeAffinity":{
      "preferredDuringSchedulingIgnoredDuringExecution":[{"weight":10,"preference":{
        "matchExpressions":[{"key":"disk","operator":"In","values":["ssd"]}]}}]}}})"))
            .node == "a");
  cluster.remove_pod("default/x");
  place(cluster, test::pod("x", "2", "4Gi"), "b");
  CHECK(plan(cluster, test::pod("p", "100m", "100Mi")).node == "a");
}

TEST_CASE("a node that has the image already is better, if it is large") {
  Cluster cluster;
  codec::Json with = test::node_json("a", "4", "8Gi");
  with["status"].set("images", json(R"([{"names":["web:latest"],"sizeBytes":900000000}])"));
  cluster.put_node(parse_node(with));
  cluster.put_node(node("b", "4", "8Gi"));
  PodFacts facts = test::pod("p", "100m", "100Mi");
  CHECK(image_locality_score(cluster, facts, *cluster.find_node("a")) > 30);
  CHECK(image_locality_score(cluster, facts, *cluster.find_node("b")) == 0);
  CHECK(plan(cluster, facts).node == "a");
}

TEST_CASE("pods that want to be apart, together or spread are placed so") {
  Cluster cluster;
  cluster.put_node(node("a", "4", "8Gi", R"({"host":"a","zone":"1"})"));
  cluster.put_node(node("b", "4", "8Gi", R"({"host":"b","zone":"1"})"));
  cluster.put_node(node("c", "4", "8Gi", R"({"host":"c","zone":"2"})"));
  auto labelled = [](std::string_view name, std::string_view extra) {
    codec::Json pod = test::pod_json(name, "100m", "", extra);
    pod["metadata"]["labels"].set("app", "web");
    return parse_pod(pod);
  };
  std::string term = R"([{"topologyKey":"host","labelSelector":{"matchLabels":{"app":"web"}}}])";
  std::string required = "requiredDuringSchedulingIgnoredDuringExecution";
  std::string apart = R"({"affinity":{"podAntiAffinity":{")" + required + R"(":)" + term + "}}}";
  for (const char* name : {"p1", "p2", "p3"}) {
    PodFacts facts = labelled(name, apart);
    Placement placement = plan(cluster, facts);
    REQUIRE_FALSE(placement.node.empty());
    place(cluster, facts, placement.node);
  }
  for (const auto& facts : cluster.nodes()) CHECK(facts.pods == 1);
  CHECK(plan(cluster, labelled("p4", apart)).message.substr(0, 84) ==
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. preemption:");
  // The placed ones keep others of their kind out too.
  CHECK(plan(cluster, labelled("p5", "{}"))
            .message.find("3 node(s) didn't satisfy existing pods anti-affinity rules") !=
        std::string::npos);

  Cluster fresh;
  for (const auto& facts : cluster.nodes()) {
    NodeFacts copy = facts;
    copy.requested = {};
    copy.pods = 0;
    copy.scored_milli_cpu = copy.scored_memory = 0;
    fresh.put_node(copy);
  }
  std::string together = R"({"affinity":{"podAffinity":{")" + required + R"(":)" + term + "}}}";
  PodFacts first = labelled("t1", together);
  Placement placement = plan(fresh, first);  // nobody to join yet
  REQUIRE_FALSE(placement.node.empty());
  place(fresh, first, placement.node);
  CHECK(plan(fresh, labelled("t2", together)).node == placement.node);
  CHECK(plan(fresh, test::pod("lone", "100m", "", together)).node == placement.node);

  std::string spread = R"({"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone",)"
                       R"("whenUnsatisfiable":"DoNotSchedule",)"
                       R"("labelSelector":{"matchLabels":{"app":"web"}}}]})";
  Cluster zones;
  zones.put_node(node("a", "4", "8Gi", R"({"zone":"1"})"));
  zones.put_node(node("b", "1", "8Gi", R"({"zone":"2"})"));
  zones.put_node(node("x", "4", "8Gi"));
  place(zones, labelled("s1", spread), "a");
  CHECK(plan(zones, labelled("s2", spread)).node == "b");
  place(zones, test::pod("filler", "1", ""), "b");
  std::string message = plan(zones, labelled("s2", spread)).message;
  CHECK(message.find("1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints, "
                     "1 node(s) didn't match pod topology spread constraints (missing required "
                     "label).") != std::string::npos);
}

TEST_CASE("of large clusters only a part is looked at, in turn") {
  CHECK(feasible_nodes_wanted(50) == 50);
  CHECK(feasible_nodes_wanted(5000) == 500);
  CHECK(feasible_nodes_wanted(1000) == 420);
  CHECK(feasible_nodes_wanted(100000) == 5000);
  Cluster cluster;
  for (int i = 0; i < 1000; ++i) cluster.put_node(node("n" + std::to_string(i), "4", "8Gi"));
  auto random = base::seeded_random(1);
  Placement placement = plan_placement(cluster, test::pod("p", "1", "1Gi"), 900, *random);
  CHECK(placement.next_start == 320);
}

TEST_CASE("a node that goes and comes keeps the count of its pods") {
  Cluster cluster = one_node();
  place(cluster, test::pod("a", "500m", "1Gi"), "edge-1");
  cluster.put_node(node("edge-1", "2", "4Gi"));
  CHECK(cluster.find_node("edge-1")->requested.milli_cpu == 500);
  cluster.remove_node("edge-1");
  CHECK(cluster.find_node("edge-1") == nullptr);
  cluster.put_node(node("other", "2", "4Gi"));
  cluster.put_node(node("edge-1", "2", "4Gi"));
  CHECK(cluster.find_node("edge-1")->requested.milli_cpu == 500);
  cluster.remove_pod("default/a");
  CHECK(cluster.find_node("edge-1")->pods == 0);
}
