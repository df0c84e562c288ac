// The controllers on the small API in memory, with a node that runs every pod at once.
#pragma once

#include <skiff/base/strings.h>
#include <skiff/client/informer.h>
#include <skiff/controllers/manager.h>

#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

namespace skiff::test {

using codec::Json;
namespace resources = client::resources;
using namespace std::chrono_literals;

inline std::shared_ptr<pki::ClusterTrust> make_trust(base::WallTime now) {
  auto pair = pki::make_authority("test-ca", now, std::chrono::hours(24 * 3650));
  REQUIRE(pair);
  auto authority = pki::open_authority(*pair);
  REQUIRE(authority);
  return std::make_shared<pki::ClusterTrust>(std::move(*authority), pair->certificate_pem);
}

struct ControllerFixture {
  SimLoop loop;
  MemoryApi api{loop};
  std::unique_ptr<base::Random> random = base::seeded_random(7);
  std::shared_ptr<pki::ClusterTrust> trust = make_trust(loop.now());
  base::TaskScope scope{loop};
  std::unique_ptr<controllers::ControllerManager> manager;
  pki::Identity master_names{{}, {"kubernetes"}, {}};
  bool pods_run = true;
  int address = 1;
  const std::string cidr;

  explicit ControllerFixture(std::string cluster_cidr = "10.42.0.0/16")
      : cidr(std::move(cluster_cidr)) {
    put_namespace("default");
    start();
  }
  ~ControllerFixture() {
    scope.cancel();
    loop.run(scope.join());
  }
  void start() {
    controllers::ManagerOptions options;
    options.client = &api;
    options.executor = &loop;
    options.timers = &loop;
    options.random = random.get();
    options.trust = trust.get();
    options.master_names = [this] { return master_names; };
    options.cluster_cidr = cidr;
    options.sign_secret_token = [](const controllers::TokenSecret& secret) {
      return base::Result<std::string>(base::concat(secret.namespace_name, "/", secret.name,
                                                    " for ", secret.service_account, " ",
                                                    secret.service_account_uid));
    };
    auto made = controllers::make_controller_manager(options);
    REQUIRE(made.is_ok());
    manager = std::move(*made);
    scope.spawn(manager->run(scope.token()));
    settle();
  }
  void put_namespace(std::string_view name) {
    Json metadata = Json::object({{"name", name}});
    Json spec = Json::object({{"finalizers", Json::array({Json("kubernetes")})}});
    api.put(resources::namespaces, Json::object({{"apiVersion", "v1"},
                                                 {"kind", "Namespace"},
                                                 {"metadata", std::move(metadata)},
                                                 {"spec", std::move(spec)}}));
  }

  // Lets everything happen that happens within `time`; pods become ready and end as on a node.
  void settle(base::Duration time = 1s) {
    for (base::Duration step = 0s; step < time; step += 50ms) {
      loop.advance(50ms);
      if (pods_run) run_pods();
    }
    loop.run_ready();
  }
  void run_pods() {
    for (const Json& pod : api.objects(resources::pods)) {
      if (!pod.at({"metadata", "deletionTimestamp"}).empty()) {
        Json ended = pod;
        ended["metadata"].set("deletionGracePeriodSeconds", 0);
        if (ended.at({"metadata", "finalizers"}).empty())
          api.erase(resources::pods, api::object_key(pod));
        continue;
      }
      if (pod.at({"status", "phase"}).as_string() == "Pending") make_ready(pod);
    }
  }
  void make_ready(Json pod) {
    std::string now = base::format_rfc3339(loop.now());
    Json condition =
        Json::object({{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", now}});
    pod["status"].set("phase", "Running");
    pod["status"].set("podIP", "10.42.0." + std::to_string(++address));
    pod["status"].set("conditions", Json::array({std::move(condition)}));
    api.put(resources::pods, std::move(pod));
  }

  Json deployment(std::string_view name, int replicas, std::string_view image) {
    Json labels = Json::object({{"app", name}});
    Json container = Json::object({{"name", "web"}, {"image", image}});
    Json pod_spec = Json::object({{"containers", Json::array({std::move(container)})}});
    Json pod_template = Json::object({{"spec", std::move(pod_spec)}});
    pod_template["metadata"].set("labels", labels);
    Json spec = Json::object({{"replicas", replicas},
                              {"revisionHistoryLimit", 2},
                              {"progressDeadlineSeconds", 600},
                              {"template", std::move(pod_template)}});
    spec["selector"].set("matchLabels", labels);
    spec["strategy"].set("type", "RollingUpdate");
    spec["strategy"]["rollingUpdate"].set("maxSurge", "25%");
    spec["strategy"]["rollingUpdate"].set("maxUnavailable", "25%");
    Json object = Json::object({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}});
    object["metadata"].set("name", name);
    object["metadata"].set("namespace", "default");
    object["metadata"].set("generation", 1);
    object.set("spec", std::move(spec));
    return object;
  }
  // Changes an object as a user would.
  void change(client::Resource resource, const std::string& key,
              const std::function<void(Json&)>& edit) {
    Json object = api.object(resource, key);
    REQUIRE(object.is_object());
    edit(object);
    object["metadata"].set("generation", object.at({"metadata", "generation"}).as_int() + 1);
    api.put(resource, std::move(object));
  }
  std::vector<std::string> events(std::string_view reason) {
    std::vector<std::string> messages;
    for (const Json& event : api.objects(resources::events))
      if (event["reason"].as_string() == reason)
        messages.emplace_back(event["message"].as_string());
    return messages;
  }
  Json live(client::Resource resource, const std::string& key) { return api.object(resource, key); }
  void remove(client::Resource resource, const std::string& namespace_name, const std::string& name,
              const std::string& policy = "Background") {
    client::DeleteOptions options;
    options.propagation_policy = policy;
    CHECK(loop.run(api.remove(resource, namespace_name, name, options)).is_ok());
  }
};

}  // namespace skiff::test
