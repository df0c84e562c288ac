#include "sim/workload.h"

#include <skiff/base/strings.h>

#include <map>
#include <set>

#include "sim/board_checks.h"
#include "sim/queue_checks.h"

namespace skiff::sim {

using base::Status;
using codec::Json;
namespace resources = client::resources;
using namespace std::chrono_literals;

namespace {

constexpr int kDeployments = 4;
constexpr int kJobs = 4;

std::string name_of_deployment(SimCluster& cluster) {
  return base::concat("app-", cluster.random().below(kDeployments));
}

Json deployment(base::Random& random, const std::string& name) {
  Json labels = Json::object({{"app", name}});
  Json container = Json::object({{"name", "main"}, {"image", "image:1"}});
  container["resources"]["requests"].set("cpu", base::concat(50 + random.below(4) * 50, "m"));
  container["ports"] = Json::array({Json::object({{"name", "http"}, {"containerPort", 8080}})});
  Json pod_template = Json::object();
  pod_template["metadata"].set("labels", labels);
  pod_template["spec"].set("containers", Json::array({std::move(container)}));
  pod_template["spec"].set("terminationGracePeriodSeconds", 5);
  Json object = Json::object({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["spec"].set("replicas", static_cast<std::int64_t>(random.below(6)));
  object["spec"]["selector"].set("matchLabels", labels);
  object["spec"].set("template", std::move(pod_template));
  return object;
}

constexpr char kJobLabel[] = "job";

// A pod that ends by itself, and what its containers do: see BoardHost::program_of().
Json job(base::Random& random, const std::string& name) {
  const bool is_once = random.below(2) == 0;
  auto container = [&random, is_once](const char* of, bool ends_well) {
    Json args = Json::array({std::to_string(1 + random.below(20))});
    if (!ends_well || random.below(2) == 0) args.push_back("3");
    if (!is_once || args.size() == 1) args.push_back("0");
    return Json::object({{"name", of}, {"image", "image:1"}, {"args", std::move(args)}});
  };
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["metadata"]["labels"].set(kJobLabel, "yes");
  object["spec"].set("restartPolicy", is_once ? "Never" : "OnFailure");
  object["spec"].set("terminationGracePeriodSeconds", 5);
  if (random.below(2) == 0)
    object["spec"].set("initContainers", Json::array({container("first", true)}));
  object["spec"].set("containers", Json::array({container("main", false)}));
  return object;
}

Json service(const std::string& name) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Service"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  object["spec"]["selector"].set("app", name);
  object["spec"].set("ports", Json::array({Json::object({{"port", 80}, {"targetPort", "http"}})}));
  return object;
}

void create(SimCluster& cluster, client::Resource resource, Json object) {
  auto task = cluster.admin().create(resource, "default", std::move(object), "", "");
  (void)cluster.loop().run(std::move(task));  // there already, or refused by a fault: no matter
}

void remove(SimCluster& cluster, client::Resource resource, const std::string& name,
            std::string policy) {
  client::DeleteOptions options;
  options.propagation_policy = std::move(policy);
  (void)cluster.loop().run(cluster.admin().remove(resource, "default", name, options));
}

void patch(SimCluster& cluster, const std::string& name, Json change) {
  auto task = cluster.admin().patch(resources::deployments, "default", name,
                                    client::PatchType::strategic, std::move(change), "");
  (void)cluster.loop().run(std::move(task));
}

Json image_change(std::uint64_t version) {
  Json container = Json::object({{"name", "main"}, {"image", base::concat("image:", version)}});
  Json change = Json::object();
  change["spec"]["template"]["spec"].set("containers", Json::array({std::move(container)}));
  return change;
}

Json replicas_change(std::uint64_t replicas) {
  Json change = Json::object();
  change["spec"].set("replicas", static_cast<std::int64_t>(replicas));
  return change;
}

// A namespace with something in it, or the end of one.
void act_on_namespace(SimCluster& cluster) {
  std::string name = base::concat("team-", cluster.random().below(2));
  if (cluster.random().below(2) == 0) {
    client::DeleteOptions options;
    (void)cluster.loop().run(cluster.admin().remove(resources::namespaces, "", name, options));
    return;
  }
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Namespace"}});
  object["metadata"].set("name", name);
  auto making = cluster.admin().create(resources::namespaces, "", std::move(object), "", "");
  (void)cluster.loop().run(std::move(making));
  Json content = deployment(cluster.random(), "app-0");
  content["metadata"].set("namespace", name);
  auto filling = cluster.admin().create(resources::deployments, name, std::move(content), "", "");
  (void)cluster.loop().run(std::move(filling));
}

constexpr std::string_view kVisitor = "visitor";

// Lets a visitor look at pods, or no longer.
void act_on_binding(SimCluster& cluster) {
  if (cluster.random().below(2) == 0) {
    return remove(cluster, resources::role_bindings, std::string(kVisitor), "");
  }
  Json object =
      Json::object({{"apiVersion", "rbac.authorization.k8s.io/v1"}, {"kind", "RoleBinding"}});
  object["metadata"].set("name", kVisitor);
  object["metadata"].set("namespace", "default");
  object.set("roleRef",
             Json::object({{"kind", "ClusterRole"}, {"name", "system:aggregate-to-view"}}));
  object.set("subjects", Json::array({Json::object({{"kind", "User"}, {"name", kVisitor}})}));
  create(cluster, resources::role_bindings, std::move(object));
}

void delete_some_pod(SimCluster& cluster) {
  const auto& pods = cluster.list(resources::pods);
  if (pods.empty()) return;
  const Json& victim = pods[cluster.random().below(pods.size())];
  if (api::namespace_of(victim) != "default") return;
  remove(cluster, resources::pods, std::string(api::name_of(victim)), "");
}

}  // namespace

void act(SimCluster& cluster) {
  base::Random& random = cluster.random();
  std::string name = name_of_deployment(cluster);
  switch (random.below(14)) {
    case 12:
    case 13:
      return create(cluster, resources::pods,
                    job(random, base::concat("job-", random.below(kJobs))));
    case 10:
    case 11: {
      const std::size_t board = random.below(cluster.boards().size());
      return random.below(4) == 0 ? cluster.open_flood(board) : cluster.open_stream(board);
    }
    case 9: return act_on_binding(cluster);
    case 8: return act_on_namespace(cluster);
    case 0:
    case 1: return create(cluster, resources::deployments, deployment(random, name));
    case 2: return patch(cluster, name, replicas_change(random.below(7)));
    case 3:
    case 4: return patch(cluster, name, image_change(random.below(5)));
    case 5: return delete_some_pod(cluster);
    case 6: return create(cluster, resources::services, service(name));
    default:
      if (random.below(3) != 0) return;
      return remove(cluster, resources::deployments, name,
                    random.below(2) == 0 ? "Background" : "Foreground");
  }
}

namespace {

// A process in a container ends, or the supervisor of a pod with all of them.
void end_something(SimCluster& cluster, SimBoard& board) {
  auto& runtime = board.host().runtime();
  std::vector<std::string> running;
  for (const auto& [id, container] : runtime.containers())
    if (container.state == runtime::ContainerState::running) running.push_back(id);
  if (running.empty()) return;
  base::Random& random = cluster.random();
  const std::string& id = running[random.below(running.size())];
  if (random.below(3) == 0)
    runtime.lose_sandbox(std::string(runtime.containers().at(id).pod_uid));
  else
    runtime.end_process(id, static_cast<int>(random.below(2)));
}

// It is flashed, and its process is killed some times while it joins.
void rejoin(SimCluster& cluster, std::size_t board) {
  base::Random& random = cluster.random();
  cluster.crash_board(board);
  cluster.flash_board(board);
  for (auto kills = random.below(4); kills > 0; --kills) {
    cluster.advance(up_to(random, 400ms));
    cluster.kill_board(board);
    cluster.start_board(board);
  }
}

// Its process ends in this way or that, and comes back at once or later.
void end_board(SimCluster& cluster, std::size_t board) {
  base::Random& random = cluster.random();
  switch (random.below(6)) {
    case 0: cluster.stop_board(board); break;
    case 1: cluster.crash_board(board); break;
    case 2:
    case 3:
      // It comes up and is killed again, in the middle of what it takes up.
      for (auto kills = random.below(3); kills > 0; --kills) {
        cluster.kill_board(board);
        cluster.start_board(board);
        cluster.advance(up_to(random, 1500ms));
      }
      [[fallthrough]];
    default: cluster.kill_board(board);
  }
  if (random.below(3) == 0) return;
  cluster.advance(up_to(random, 5s));
  cluster.start_board(board);
}

}  // namespace

void disturb(SimCluster& cluster) {
  base::Random& random = cluster.random();
  Faults& faults = cluster.faults();
  const std::size_t board = random.below(cluster.boards().size());
  const std::string& host = cluster.boards()[board]->address();
  switch (random.below(26)) {
    case 22: {
      auto& host = cluster.boards()[board]->host();
      host.set_calls_fail(random.below(2) == 0 ? 0.2 : 0);
      return;
    }
    case 23:
    case 24: return end_board(cluster, board);
    case 19: return end_something(cluster, *cluster.boards()[board]);
    case 20:
      if (random.below(3) == 0) rejoin(cluster, board);
      return;
    case 21: {
      auto& images = cluster.boards()[board]->host().images();
      images.pull_error =
          random.below(2) == 0 ? base::unavailable("no route to the registry") : base::Status();
      return;
    }
    case 0: return cluster.lose_watches(base::Code::unavailable);
    case 1: return cluster.lose_watches(base::Code::expired);
    case 2: return cluster.restart_server();
    case 3: return cluster.restart_controllers();
    case 4: return cluster.restart_scheduler();
    case 5: return end_board(cluster, board);
    case 6: return cluster.start_board(board);
    case 7: return cluster.network().set_cut(host, true);
    case 8: return cluster.network().set_cut(host, false);
    case 9:
    case 10:
      faults.call_fails = random.below(2) == 0 ? 0 : 0.1;
      faults.answer_lost = random.below(2) == 0 ? 0 : 0.05;
      return;
    case 11:
    case 12:
      faults.commit_fails = random.below(3) == 0 ? 0.1 : 0;
      faults.commit_delay_max = random.below(2) == 0 ? base::Duration(0) : base::Duration(200ms);
      return;
    case 13:
    case 14: return cluster.network().set_stalled(host, true, random.below(2) == 0);
    case 15: return cluster.network().set_stalled(host, false, random.below(3) == 0);
    case 17:
      if (random.below(4) == 0) (void)cluster.front().roll();
      return;
    case 16: {
      using Ends = test::SimNetwork::Ends;
      constexpr Ends kEnds[] = {Ends::both, Ends::host_only, Ends::peer_only};
      return cluster.network().break_connections(host, kEnds[random.below(3)]);
    }
    default: {
      auto seconds = static_cast<std::int64_t>(random.below(7200)) - 3600;
      auto by = std::chrono::seconds(seconds);
      if (random.below(2) == 0) return cluster.master().jump_wall_clock(by);
      return cluster.boards()[board]->machine().jump_wall_clock(by);
    }
  }
}

namespace {

std::map<std::string, const Json*> by_uid(const ObjectRefs& objects) {
  std::map<std::string, const Json*> result;
  for (const Json& object : objects) result.emplace(api::uid_of(object), &object);
  return result;
}

bool is_ready(const Json& object) {
  return api::find_condition(object, "Ready")["status"].as_string() == "True";
}

std::string check_deployment(const Json& object) {
  const Json& status = object["status"];
  std::int64_t wanted = object.at({"spec", "replicas"}).as_int();
  if (status["observedGeneration"].as_int() != object.at({"metadata", "generation"}).as_int())
    return base::concat("deployment ", api::name_of(object), " is not observed");
  for (std::string_view field : {"replicas", "updatedReplicas", "availableReplicas"})
    if (status[field].as_int() != wanted)
      return base::concat("deployment ", api::name_of(object), " has ", status[field].as_int(), ' ',
                          field, ", wants ", wanted);
  return {};
}

std::string check_job(const Json& pod) {
  const auto phase = pod.at({"status", "phase"}).as_string();
  const bool is_once = pod.at({"spec", "restartPolicy"}).as_string() == "Never";
  if (phase == "Succeeded" || (phase == "Failed" && is_once)) return {};
  return base::concat("job ", api::name_of(pod), " is ", phase);
}

std::string check_pods(const ObjectRefs& pods, const ObjectRefs& sets,
                       const ObjectRefs& deployments) {
  auto set_of = by_uid(sets);
  auto deployment_of = by_uid(deployments);
  std::map<std::string, std::int64_t> counts;
  for (const Json& pod : pods) {
    if (api::is_being_deleted(pod)) return base::concat("pod ", api::name_of(pod), " does not end");
    if (!api::label(pod, kJobLabel).empty()) {
      auto complaint = check_job(pod);
      if (!complaint.empty()) return complaint;
      continue;
    }
    if (!is_ready(pod)) return base::concat("pod ", api::name_of(pod), " is not ready");
    auto set = set_of.find(std::string(api::controller_of(pod)["uid"].as_string()));
    if (set == set_of.end()) return base::concat("pod ", api::name_of(pod), " is an orphan");
    ++counts[set->first];
  }
  for (const Json& set : sets) {
    std::string owner(api::controller_of(set)["uid"].as_string());
    if (deployment_of.count(owner) == 0)
      return base::concat("replica set ", api::name_of(set), " is an orphan");
    if (counts[std::string(api::uid_of(set))] != set.at({"spec", "replicas"}).as_int())
      return base::concat("replica set ", api::name_of(set), " has the wrong number of pods");
  }
  return {};
}

std::string check_endpoints(SimCluster& cluster, const ObjectRefs& pods) {
  const auto& slices = cluster.list(resources::endpoint_slices);
  for (const Json& object : cluster.list(resources::services)) {
    std::string app(object.at({"spec", "selector", "app"}).as_string());
    if (app.empty()) continue;
    std::set<std::string> wanted, shown;
    for (const Json& pod : pods)
      if (api::label(pod, "app") == app && api::namespace_of(pod) == "default")
        wanted.emplace(pod.at({"status", "podIP"}).as_string());
    for (const Json& slice : slices) {
      if (api::label(slice, "kubernetes.io/service-name") != api::name_of(object)) continue;
      for (const Json& endpoint : slice["endpoints"].items())
        if (endpoint.at({"conditions", "ready"}).as_bool())
          shown.emplace(endpoint["addresses"].items().at(0).as_string());
    }
    if (wanted != shown)
      return base::concat("service ", api::name_of(object), " shows ", shown.size(),
                          " endpoints of ", wanted.size());
  }
  return {};
}

std::string check_nodes(SimCluster& cluster) {
  const auto& nodes = cluster.list(resources::nodes);
  if (nodes.size() != cluster.boards().size()) return "a node is not registered";
  std::set<std::string> blocks;
  for (const Json& node : nodes) {
    if (!is_ready(node)) return base::concat(api::name_of(node), " is not ready");
    if (!node.at({"spec", "taints"}).empty())
      return base::concat(api::name_of(node), " is still tainted");
    if (!blocks.emplace(node.at({"spec", "podCIDR"}).as_string()).second)
      return base::concat(api::name_of(node), " shares its pod addresses");
  }
  return {};
}

}  // namespace

std::string find_unsettled(SimCluster& cluster) {
  if (cluster.streams().running() > 0) return "a stream to a board does not end";
  std::string complaint = find_unsettled_board(cluster);
  if (complaint.empty()) complaint = check_nodes(cluster);
  if (!complaint.empty()) return complaint;
  const auto& deployments = cluster.list(resources::deployments);
  for (const Json& object : deployments) {
    complaint = check_deployment(object);
    if (!complaint.empty()) return complaint;
  }
  const auto& pods = cluster.list(resources::pods);
  complaint = check_pods(pods, cluster.list(resources::replica_sets), deployments);
  if (!complaint.empty()) return complaint;
  complaint = check_endpoints(cluster, pods);
  if (!complaint.empty()) return complaint;
  for (const Json& object : cluster.list(resources::namespaces))
    if (api::is_being_deleted(object))
      return base::concat("namespace ", api::name_of(object), " does not end");
  std::size_t accounts = 0;
  for (const Json& account : cluster.list(resources::service_accounts))
    accounts += api::name_of(account) == "default";
  if (accounts != cluster.list(resources::namespaces).size())
    return "a namespace has no default service account";
  return {};
}

std::string wait_boards(SimCluster& cluster, base::Duration most) {
  std::string complaint;
  for (base::Duration waited{}; waited < most; waited += 1s) {
    complaint = find_unsettled_board(cluster);
    if (complaint.empty()) complaint = check_nodes(cluster);
    if (complaint.empty()) return {};
    cluster.advance(1s);
  }
  return complaint;
}

std::string wait_settled(SimCluster& cluster, base::Duration most) {
  std::string complaint;
  for (base::Duration waited{}; waited < most; waited += 1s) {
    complaint = find_unsettled(cluster);
    if (complaint.empty()) return {};
    cluster.advance(1s);
  }
  return complaint;
}

std::string find_violation(SimCluster& cluster) {
  if (!cluster.wire().violation.empty()) return cluster.wire().violation;
  if (!cluster.streams().violation().empty()) return cluster.streams().violation();
  if (auto found = find_board_violation(cluster); !found.empty()) return found;
  if (auto found = find_overfull_queue(cluster); !found.empty()) return found;
  std::map<std::string, std::int64_t> milli_cpu;
  for (const Json& pod : cluster.list(resources::pods)) {
    std::string node(pod.at({"spec", "nodeName"}).as_string());
    std::string_view cpu = pod.at({"spec", "containers"})
                               .items()
                               .at(0)
                               .at({"resources", "requests", "cpu"})
                               .as_string();
    // What is over and not yet gone takes no room.
    const auto phase = pod.at({"status", "phase"}).as_string();
    if (node.empty() || cpu.empty() || phase == "Succeeded" || phase == "Failed") continue;
    milli_cpu[node] += base::parse_int(cpu.substr(0, cpu.size() - 1)).value_or(0);
    if (milli_cpu[node] > 4000) return base::concat(node, " is overfull");
  }
  bool bound = false;
  for (const Json& binding : cluster.list(resources::role_bindings))
    bound = bound || api::name_of(binding) == kVisitor;
  if (cluster.may_list_pods(std::string(kVisitor)) != bound)
    return base::concat("the visitor's rights are not those of ", bound ? "a" : "no", " binding");
  return {};
}

namespace {

std::string check_fence_posts(SimCluster& cluster, const std::string& name, std::int64_t least,
                              std::int64_t most) {
  std::int64_t planned = 0, active = 0, ready = 0;
  for (const Json& set : cluster.list(resources::replica_sets))
    if (api::label(set, "app") == name) planned += set.at({"spec", "replicas"}).as_int();
  for (const Json& pod : cluster.list(resources::pods)) {
    if (api::label(pod, "app") != name || api::is_being_deleted(pod)) continue;
    ++active;
    ready += is_ready(pod);
  }
  if (planned > most || active > most)
    return base::concat(name, " has ", active, " pods, ", planned, " planned, at most ", most);
  if (ready < least) return base::concat(name, " has ", ready, " ready pods, at least ", least);
  return {};
}

}  // namespace

std::string check_healthy_rollout(SimCluster& cluster) {
  std::string name = "steady";
  base::Random& random = cluster.random();
  Json object = deployment(random, name);
  std::int64_t replicas = 1 + static_cast<std::int64_t>(random.below(5));
  std::int64_t surge = static_cast<std::int64_t>(random.below(3));
  std::int64_t unavailable = surge == 0 ? 1 : static_cast<std::int64_t>(random.below(3));
  object["spec"].set("replicas", replicas);
  object["spec"]["strategy"].set("type", "RollingUpdate");
  object["spec"]["strategy"]["rollingUpdate"].set("maxSurge", surge);
  object["spec"]["strategy"]["rollingUpdate"].set("maxUnavailable", unavailable);
  create(cluster, resources::deployments, std::move(object));
  std::string complaint = wait_settled(cluster, 5min);
  if (!complaint.empty()) return complaint;
  patch(cluster, name, image_change(77));
  for (int i = 0; i < 600; ++i) {
    complaint = check_fence_posts(cluster, name, replicas - unavailable, replicas + surge);
    if (!complaint.empty()) return complaint;
    cluster.advance(100ms);
  }
  complaint = wait_settled(cluster, 5min);
  remove(cluster, resources::deployments, name, "Foreground");
  return complaint;
}

}  // namespace skiff::sim
