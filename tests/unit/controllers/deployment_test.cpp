#include "cluster_fixture.h"
#include "controllers/deployment/plan_deployment_status.h"

using namespace skiff;
using namespace skiff::test;

namespace {

int ready_pods(ControllerFixture& f) {
  int count = 0;
  for (const Json& pod : f.api.objects(resources::pods))
    count += api::find_condition(pod, "Ready")["status"].as_string() == "True";
  return count;
}

std::vector<Json> sets_of(ControllerFixture& f) { return f.api.objects(resources::replica_sets); }

void set_image(ControllerFixture& f, std::string_view image) {
  f.change(resources::deployments, "default/web", [&](Json& object) {
    object["spec"]["template"]["spec"]["containers"].mutable_items()[0].set("image", image);
  });
}

std::string_view condition(const Json& object, std::string_view type, std::string_view field) {
  return api::find_condition(object, type)[field].as_string();
}

}  // namespace

TEST_CASE("a deployment becomes a replica set and its pods, with upstream's events and status") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 3, "web:1"));
  f.settle();
  auto sets = sets_of(f);
  REQUIRE(sets.size() == 1);
  std::string set_name(api::name_of(sets[0]));
  std::string hash(api::label(sets[0], "pod-template-hash"));
  CHECK(set_name == "web-" + hash);
  CHECK(hash.size() == 10);
  CHECK(sets[0].at({"spec", "selector", "matchLabels", "pod-template-hash"}).as_string() == hash);
  CHECK(api::annotation(sets[0], "deployment.kubernetes.io/revision") == "1");
  CHECK(api::annotation(sets[0], "deployment.kubernetes.io/desired-replicas") == "3");
  CHECK(api::annotation(sets[0], "deployment.kubernetes.io/max-replicas") == "4");
  auto pods = f.api.objects(resources::pods);
  REQUIRE(pods.size() == 3);
  CHECK(api::name_of(pods[0]).substr(0, set_name.size() + 1) == set_name + "-");
  CHECK(api::controller_of(pods[0])["name"].as_string() == set_name);

  Json live = f.live(resources::deployments, "default/web");
  CHECK(live.at({"status", "readyReplicas"}).as_int() == 3);
  CHECK(live.at({"status", "updatedReplicas"}).as_int() == 3);
  CHECK(live.at({"status", "availableReplicas"}).as_int() == 3);
  CHECK(live.at({"status", "observedGeneration"}).as_int() ==
        live.at({"metadata", "generation"}).as_int());
  CHECK(api::annotation(live, "deployment.kubernetes.io/revision") == "1");
  CHECK(condition(live, "Available", "reason") == "MinimumReplicasAvailable");
  CHECK(condition(live, "Progressing", "reason") == "NewReplicaSetAvailable");
  CHECK(condition(live, "Progressing", "message") ==
        "ReplicaSet \"" + set_name + "\" has successfully progressed.");
  CHECK(f.events("ScalingReplicaSet") ==
        std::vector<std::string>{"Scaled up replica set " + set_name + " from 0 to 3"});
  CHECK(f.events("SuccessfulCreate").size() == 3);
}

TEST_CASE("a new template rolls out, an old one comes back with the next revision") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 4, "web:1"));
  f.settle();
  std::string first(api::name_of(sets_of(f)[0]));
  set_image(f, "web:2");
  for (int i = 0; i < 100; ++i) {
    f.settle(50ms);
    CHECK(ready_pods(f) >= 3);
    CHECK(f.api.objects(resources::pods).size() <= 6);  // a pod that is being deleted counts
  }
  auto sets = sets_of(f);
  REQUIRE(sets.size() == 2);
  Json live = f.live(resources::deployments, "default/web");
  CHECK(live.at({"status", "updatedReplicas"}).as_int() == 4);
  CHECK(live.at({"status", "replicas"}).as_int() == 4);
  CHECK(api::annotation(live, "deployment.kubernetes.io/revision") == "2");

  set_image(f, "web:1");  // as kubectl rollout undo does
  f.settle(5s);
  CHECK(sets_of(f).size() == 2);
  Json back = f.live(resources::replica_sets, "default/" + first);
  CHECK(back.at({"spec", "replicas"}).as_int() == 4);
  CHECK(api::annotation(back, "deployment.kubernetes.io/revision") == "3");
  CHECK(api::annotation(back, "deployment.kubernetes.io/revision-history") == "1");
}

TEST_CASE("old replica sets beyond the history limit go") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 1, "web:1"));
  f.settle(3s);
  for (int i = 2; i <= 6; ++i) {
    set_image(f, "web:" + std::to_string(i));
    f.settle(3s);
  }
  CHECK(sets_of(f).size() == 3);  // the current one and two of history
}

TEST_CASE("scaling during a rollout keeps the proportions, scaling alone goes straight") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 2, "web:1"));
  f.settle();
  f.change(resources::deployments, "default/web", [](Json& d) { d["spec"].set("replicas", 5); });
  f.settle();
  CHECK(f.live(resources::deployments, "default/web").at({"status", "readyReplicas"}).as_int() ==
        5);
  f.change(resources::deployments, "default/web", [](Json& d) { d["spec"].set("replicas", 0); });
  f.settle();
  CHECK(f.api.objects(resources::pods).empty());
  CHECK(f.events("SuccessfulDelete").size() == 5);
}

TEST_CASE("a paused deployment scales but does not roll") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 2, "web:1"));
  f.settle();
  f.change(resources::deployments, "default/web", [](Json& d) { d["spec"].set("paused", true); });
  set_image(f, "web:2");
  f.change(resources::deployments, "default/web", [](Json& d) { d["spec"].set("replicas", 3); });
  f.settle();
  CHECK(sets_of(f).size() == 1);
  CHECK(ready_pods(f) == 3);
  Json live = f.live(resources::deployments, "default/web");
  CHECK(condition(live, "Progressing", "reason") == "DeploymentPaused");
  f.change(resources::deployments, "default/web", [](Json& d) { d["spec"].erase("paused"); });
  f.settle(3s);
  CHECK(sets_of(f).size() == 2);
  live = f.live(resources::deployments, "default/web");
  CHECK(live.at({"status", "updatedReplicas"}).as_int() == 3);
}

TEST_CASE("recreate waits until the last old pod is gone") {
  ControllerFixture f;
  Json object = f.deployment("web", 2, "web:1");
  object["spec"].set("strategy", Json::object({{"type", "Recreate"}}));
  f.api.put(resources::deployments, std::move(object));
  f.settle();
  f.pods_run = false;
  for (const Json& pod : f.api.objects(resources::pods)) {
    Json held = pod;
    held["metadata"].set("finalizers", Json::array({Json("test/hold")}));
    f.api.put(resources::pods, std::move(held));
  }
  set_image(f, "web:2");
  f.settle(5s);
  CHECK(sets_of(f).size() == 1);
  for (const Json& pod : f.api.objects(resources::pods))
    f.api.erase(resources::pods, api::object_key(pod));
  f.pods_run = true;
  f.settle(3s);
  CHECK(sets_of(f).size() == 2);
  CHECK(ready_pods(f) == 2);
}

TEST_CASE("a rollout that does not progress is reported after its deadline") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 2, "web:1"));
  f.settle();
  f.pods_run = false;
  set_image(f, "web:2");
  f.settle(2s);
  Json live = f.live(resources::deployments, "default/web");
  CHECK(condition(live, "Progressing", "reason") == "ReplicaSetUpdated");
  f.loop.advance(11min);
  live = f.live(resources::deployments, "default/web");
  CHECK(condition(live, "Progressing", "status") == "False");
  CHECK(condition(live, "Progressing", "reason") == "ProgressDeadlineExceeded");
}

TEST_CASE("a pod that came and went while nobody watched is made again") {
  ControllerFixture f;
  f.pods_run = false;
  bool is_blind = true;
  f.api.fault = [&](std::string_view verb, client::Resource resource, std::string_view) {
    const bool looks = verb == "list" || verb == "watch";
    return is_blind && looks && resource.resource == "pods" ? base::unavailable("not now")
                                                            : base::Status::ok();
  };
  f.api.end_watches(base::Code::expired);
  f.settle(2s);
  f.api.put(resources::deployments, f.deployment("web", 3, "web:1"));
  f.settle(2s);
  auto pods = f.api.objects(resources::pods);
  REQUIRE(pods.size() == 3);
  f.api.erase(resources::pods, api::object_key(pods[0]));
  is_blind = false;
  f.loop.advance(40s);
  // Its creation was never seen: the set waits a while for that.
  CHECK(f.api.objects(resources::pods).size() == 2);
  f.loop.advance(6min);
  CHECK(f.api.objects(resources::pods).size() == 3);
}

TEST_CASE("a rollout that was over has no deadline when its pods fail later") {
  const auto now = base::WallTime::from_unix_seconds(1'800'000'000);
  Json deployment = Json::object();
  deployment["spec"].set("replicas", 2);
  deployment["spec"].set("progressDeadlineSeconds", 600);
  Json progressing = Json::object({{"type", "Progressing"},
                                   {"status", "True"},
                                   {"reason", "ReplicaSetUpdated"},
                                   {"lastUpdateTime", base::format_rfc3339(now)}});
  Json status = Json::object({{"replicas", 2}, {"updatedReplicas", 2}, {"availableReplicas", 1}});
  status.set("conditions", Json::array({progressing}));
  auto after = [now](base::Duration passed) {
    return [now, passed](base::WallTime time) { return now + passed - time; };
  };
  CHECK(controllers::until_deadline(deployment, status, after(0s)) == 601s);
  CHECK(controllers::until_deadline(deployment, status, after(1h)) == 1s);
  // It was: looking again each second would never find anything.
  progressing.set("reason", "NewReplicaSetAvailable");
  status.set("conditions", Json::array({progressing}));
  CHECK_FALSE(controllers::until_deadline(deployment, status, after(0s)));
  CHECK_FALSE(controllers::until_deadline(deployment, status, after(1h)));
}

TEST_CASE("a clock that jumps neither ends a rollout's time nor gives it more") {
  const auto jump = GENERATE(base::Duration(24h * 3650), base::Duration(-24h * 365 * 50));
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 2, "web:1"));
  f.settle();
  f.pods_run = false;
  set_image(f, "web:2");
  f.settle(60s);
  f.loop.jump_wall_clock(jump);
  f.change(resources::deployments, "default/web",
           [](Json& object) { object["metadata"]["labels"].set("a", "b"); });
  f.settle(500s);
  auto reason = [&] {
    const Json live = f.live(resources::deployments, "default/web");
    return std::string(condition(live, "Progressing", "reason"));
  };
  CHECK(reason() == "ReplicaSetUpdated");
  f.settle(60s);
  CHECK(reason() == "ProgressDeadlineExceeded");
}

TEST_CASE("a clock that jumps neither makes a pod available early nor never") {
  const auto jump = GENERATE(base::Duration(24h * 3650), base::Duration(-24h * 365 * 50));
  ControllerFixture f;
  Json deployment = f.deployment("web", 1, "web:1");
  deployment["spec"].set("minReadySeconds", 100);
  f.api.put(resources::deployments, std::move(deployment));
  f.settle(40s);
  REQUIRE(ready_pods(f) == 1);
  f.loop.jump_wall_clock(jump);
  f.change(resources::deployments, "default/web",
           [](Json& object) { object["metadata"]["labels"].set("a", "b"); });
  f.settle(50s);
  auto available = [&] {
    const Json live = f.live(resources::deployments, "default/web");
    return live.at({"status", "availableReplicas"}).as_int();
  };
  CHECK(available() == 0);
  f.settle(30s);
  CHECK(available() == 1);
}

TEST_CASE("a refusal to create pods is an event and a condition, and is not repeated per pod") {
  ControllerFixture f;
  f.api.fault = [](std::string_view verb, client::Resource resource, std::string_view) {
    if (verb == "create" && resource.resource == "pods")
      return base::Status(base::Code::permission_denied, "pods is forbidden: quota");
    return base::Status::ok();
  };
  f.api.put(resources::deployments, f.deployment("web", 50, "web:1"));
  f.settle(50ms);
  Json live = f.live(resources::deployments, "default/web");
  CHECK(condition(live, "ReplicaFailure", "reason") == "FailedCreate");
  CHECK(condition(live, "ReplicaFailure", "message") == "pods is forbidden: quota");
  CHECK(f.events("FailedCreate").size() == 1);
  f.api.fault = nullptr;
  f.settle(10s);
  CHECK(ready_pods(f) == 50);
  live = f.live(resources::deployments, "default/web");
  CHECK(api::find_condition(live, "ReplicaFailure").is_null());
}

TEST_CASE("lost and expired watches and a restart of the controllers lose nothing") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 3, "web:1"));
  f.settle(100ms);
  f.api.end_watches(base::Code::unavailable);
  f.settle(100ms);
  set_image(f, "web:2");
  f.api.end_watches(base::Code::expired);
  f.settle(100ms);
  f.scope.cancel();
  f.loop.run(f.scope.join());
  base::TaskScope second(f.loop);
  controllers::ManagerOptions options;
  options.client = &f.api;
  options.executor = &f.loop;
  options.timers = &f.loop;
  options.random = f.random.get();
  options.cluster_cidr = "10.42.0.0/16";
  auto manager = controllers::make_controller_manager(options);
  second.spawn((*manager)->run(second.token()));
  f.settle(10s);
  CHECK(f.api.objects(resources::pods).size() == 3);
  CHECK(f.live(resources::deployments, "default/web").at({"status", "updatedReplicas"}).as_int() ==
        3);
  second.cancel();
  f.loop.run(second.join());
}

TEST_CASE("a replica set adopts matching orphans and lets go what no longer matches") {
  ControllerFixture f;
  f.api.put(resources::deployments, f.deployment("web", 2, "web:1"));
  f.settle();
  Json pod = f.api.objects(resources::pods)[0];
  std::string key = api::object_key(pod);
  f.change(resources::pods, key, [](Json& p) { p["metadata"]["labels"].set("app", "other"); });
  f.settle();
  CHECK(f.api.objects(resources::pods).size() == 3);
  CHECK(api::controller_of(f.live(resources::pods, key)).is_null());
  f.change(resources::pods, key, [](Json& p) { p["metadata"]["labels"].set("app", "web"); });
  f.settle();
  CHECK(f.api.objects(resources::pods).size() == 2);
}
