// A node on virtual time: pods from an API in memory to a runtime in memory.
#pragma once

#include "agent/images/image_puller.h"
#include "agent/pod/config_cache.h"
#include "agent/pod/pod_manager.h"
#include "agent/volumes/token_cache.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "support/fake_runtime.h"
#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

#include <unistd.h>

namespace skiff::agent {

using namespace std::chrono_literals;

inline codec::Json parse_or_fail(std::string_view text) {
  auto json = codec::parse_json(text);
  if (!json) FAIL(json.status().to_string());
  return *json;
}

struct TempFolder {
  std::string path;
  TempFolder() {
    char name[] = "/tmp/skiff-agent-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempFolder() { (void)sys::remove_tree(path); }
};

struct RecordedEvents final : client::EventRecorder {
  std::vector<std::string> lines;  // "Normal Started Container started"
  void event(const codec::Json&, client::EventType type, std::string_view reason,
             std::string_view message, std::string_view) override {
    lines.push_back(std::string(type == client::EventType::normal ? "Normal " : "Warning ") +
                    std::string(reason) + " " + std::string(message));
  }
  int count(std::string_view start) const {
    int found = 0;
    for (const auto& line : lines) found += line.rfind(start, 0) == 0;
    return found;
  }
};

struct FakeProber final : Prober {
  base::Timers& timers;
  std::function<ProbeResult(const std::string& what)> answer;
  base::Duration takes{0};
  std::vector<std::string> asked;
  explicit FakeProber(base::Timers& t) : timers(t) {}
  base::Task<ProbeResult> reply(std::string what, base::CancelToken cancel) {
    asked.push_back(what);
    if (takes.count() > 0) co_await base::sleep(timers, takes, cancel);
    ProbeResult result{true, ""};
    if (answer) result = answer(what);
    co_return result;
  }
  base::Task<ProbeResult> http_get(HttpGet get, base::Duration, base::CancelToken cancel) override {
    return reply("http " + get.host + ":" + std::to_string(get.port) + get.path, cancel);
  }
  base::Task<ProbeResult> connect_tcp(std::string host, std::uint16_t port, base::Duration,
                                      base::CancelToken cancel) override {
    return reply("tcp " + host + ":" + std::to_string(port), cancel);
  }
  base::Task<ProbeResult> check_grpc(GrpcCheck check, base::Duration,
                                     base::CancelToken cancel) override {
    return reply(base::concat("grpc ", check.host, ":", check.port, " ", check.service), cancel);
  }
  base::Task<ProbeResult> exec(std::string, std::vector<std::string> command, base::Duration,
                               base::CancelToken cancel) override {
    return reply("exec " + command.at(0), cancel);
  }
};

// Jobs run after a while, as on a busy pool.
struct SlowExecutor final : base::Executor {
  base::Executor& inner;
  base::Timers& timers;
  base::Duration delay{0};
  SlowExecutor(base::Executor& e, base::Timers& t) : inner(e), timers(t) {}
  void post(base::Job job) override {
    if (delay.count() == 0) {
      inner.post(std::move(job));
    } else {
      timers.start_timer(delay, std::move(job));
    }
  }
};

// What outlives a restart of the agent: the API, the host.
struct World {
  TempFolder folder;
  test::SimLoop loop;
  test::MemoryApi api{loop};
  test::FakeRuntime runtime{loop};
  test::FakeImages images;
  test::FakePodNetwork network;
  RecordedEvents events;
  FakeProber prober{loop};
  SlowExecutor work{loop, loop}, pulls{loop, loop};
  std::unique_ptr<base::Random> random = base::seeded_random(7);

  World() { images.add("app:1"); }
  codec::Json pod(const std::string& name = "web") const {
    return api.object(client::resources::pods, "default/" + name);
  }
  std::string phase() const { return std::string(pod()["status"]["phase"].as_string()); }
  codec::Json status_of(const std::string& container) const {
    const codec::Json object = pod();
    for (const char* list : {"initContainerStatuses", "containerStatuses"})
      for (const auto& item : object["status"][list].items())
        if (item["name"].as_string() == container) return item;
    return nullptr;
  }
  std::string waiting_reason(const std::string& container) const {
    const codec::Json status = status_of(container);
    return std::string(status.at({"state", "waiting", "reason"}).as_string());
  }
  bool is_ready() const {
    const codec::Json object = pod();
    return api::find_condition(object, "Ready")["status"].as_string() == "True";
  }
  void create(std::string_view spec, const std::string& name = "web") {
    codec::Json object = codec::Json::object(
        {{"apiVersion", "v1"},
         {"kind", "Pod"},
         {"metadata", codec::Json::object({{"name", name}, {"namespace", "default"}})},
         {"spec", parse_or_fail(spec)}});
    object["spec"].set("nodeName", "node-1");
    auto made = loop.run(api.create(client::resources::pods, "default", object, "", ""));
    if (!made) FAIL(made.status().to_string());
  }
  void remove(std::optional<std::int64_t> grace = std::nullopt, const std::string& name = "web") {
    client::DeleteOptions options;
    options.grace_period_seconds = grace;
    auto status = loop.run(api.remove(client::resources::pods, "default", name, options));
    if (!status.is_ok()) FAIL(status.to_string());
  }
};

// The agent's pod part; destroying it is an orderly stop that leaves containers running.
struct Node {
  World& world;
  AgentOptions options;
  base::AgeMeter ages;
  AgentContext context;
  PodWorkerHooks hooks;
  ConfigCache configs;
  TokenCache tokens;
  ImagePuller puller;
  PodManager pods;
  std::unique_ptr<client::Informer> informer;
  base::TaskScope scope;

  static AgentOptions make_options(World& w) {
    AgentOptions o;
    o.executor = &w.loop;
    o.timers = &w.loop;
    o.work = &w.work;
    o.pulls = &w.pulls;
    o.client = &w.api;
    o.runtime = &w.runtime;
    o.images = &w.images;
    o.recorder = &w.events;
    o.random = w.random.get();
    o.node_name = "node-1";
    o.node_ip = "192.0.2.1";
    o.data_dir = w.folder.path + "/data";
    o.runtime_dir = w.folder.path + "/run";
    return o;
  }
  explicit Node(World& w)
      : world(w),
        options(make_options(w)),
        ages(w.loop.clock()),
        context{options,
                {"node-1", "192.0.2.1", 9ll << 30, 4000, 8ll << 30},
                {{"10.43.0.10"}, "cluster.local", ""}},
        configs(w.api, w.loop, w.loop),
        tokens(w.api, w.loop),
        puller(context),
        pods(context, hooks),
        scope(w.loop) {
    context.ages = &ages;
    context.configs = &configs;
    context.tokens = &tokens;
    context.puller = &puller;
    context.prober = &w.prober;
    hooks.network = &w.network;
    hooks.admit = [this](const codec::Json& pod) {
      return plan_admission({pod, codec::Json(), pods.taken()});
    };
    configs.set_on_change([this](const std::string& uid) { pods.on_config_change(uid); });
    w.runtime.set_exit_callback([this](const std::string& uid, const std::string& id) {
      world.loop.post([this, uid, id] { pods.on_runtime_event(uid, id); });
    });
    auto adopted = w.runtime.adopt();
    REQUIRE(adopted);
    pods.set_adopted(std::move(*adopted), w.network.attached());
    client::ListOptions list;
    list.field_selector = "spec.nodeName=node-1";
    informer = client::make_informer(w.api, w.loop, client::resources::pods, list, {});
    informer->add_handler(
        [this](const auto& before, const auto& after) { pods.on_pod(before, after); });
    scope.spawn(informer->run(scope.token()));
    scope.spawn(base::keep_looking(ages, w.loop, scope.token()));
    REQUIRE(w.loop.run(informer->wait_synced({})));
    scope.spawn(pods.remove_orphans(scope.token()));
    w.loop.run_ready();
  }
  ~Node() {
    world.runtime.set_exit_callback({});
    scope.cancel();
    world.loop.run(scope.join());
    world.loop.run(pods.stop());
    world.loop.run(configs.stop());
  }
};

}  // namespace skiff::agent
