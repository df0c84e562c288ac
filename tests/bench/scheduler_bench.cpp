// Plans 10,000 pods over 5,000 nodes and prints pods per second: `scheduler_bench [nodes] [pods]`.
// Every plan is applied, so that the cluster fills as it would.
#include "scheduler/plan_placement.h"

#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>

#include <cstdio>
#include <cstdlib>

using namespace skiff;
using scheduler::Json;

namespace {

Json node(int number) {
  Json node = Json::object();
  node["metadata"].set("name", base::concat("node-", number));
  node["metadata"]["labels"].set("topology.kubernetes.io/zone", base::concat("zone-", number % 3));
  node["status"]["allocatable"].set("cpu", "4");
  node["status"]["allocatable"].set("memory", "32Gi");
  node["status"]["allocatable"].set("pods", "110");
  return node;
}

Json pod(int number) {
  Json pod = Json::object();
  pod["metadata"].set("name", base::concat("pod-", number));
  pod["metadata"].set("namespace", "default");
  pod["metadata"]["labels"].set("app", "web");
  Json container = Json::object({{"name", "web"}, {"image", "web:1"}});
  container["resources"]["requests"].set("cpu", "100m");
  container["resources"]["requests"].set("memory", "500Mi");
  pod["spec"].set("containers", Json::array({std::move(container)}));
  return pod;
}

}  // namespace

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 5000;
  const int pods = argc > 2 ? std::atoi(argv[2]) : 10000;
  scheduler::Cluster cluster;
  for (int i = 0; i < nodes; ++i) cluster.put_node(scheduler::parse_node(node(i)));
  auto random = base::seeded_random(1);
  std::size_t start = 0;
  int placed = 0;
  base::MonotonicTime begin = loop::real_clock().monotonic();
  for (int i = 0; i < pods; ++i) {
    scheduler::PodFacts facts = scheduler::parse_pod(pod(i));
    auto placement = scheduler::plan_placement(cluster, facts, start, *random);
    start = placement.next_start;
    if (placement.node.empty()) continue;
    ++placed;
    scheduler::PlacedPod use;
    use.uid = facts.uid;
    use.node = placement.node;
    use.use = facts.use;
    use.namespace_name = facts.namespace_name;
    use.labels = facts.labels;
    cluster.put_pod(facts.key, std::move(use));
  }
  double seconds = static_cast<double>((loop::real_clock().monotonic() - begin).count()) / 1e9;
  std::printf("scheduler: %d of %d pods over %d nodes in %.2f s: %.0f pods/s\n", placed, pods,
              nodes, seconds, pods / seconds);
  return placed == 0 ? 1 : 0;
}
