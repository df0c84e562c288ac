#include <skiff/client/informer.h>

#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace std::chrono_literals;
using client::resources::config_maps;
using codec::Json;

namespace {

Json config_map(std::string_view namespace_name, std::string_view name, std::string_view owner) {
  Json metadata = Json::object({{"name", name}, {"namespace", namespace_name}});
  metadata.set("labels", Json::object({{"owner", owner}}));
  return Json::object(
      {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", std::move(metadata)}});
}

struct Fixture {
  test::SimLoop loop;
  test::MemoryApi api{loop};
  base::TaskScope scope{loop};
  std::unique_ptr<client::Informer> informer;
  std::vector<std::string> changes;

  explicit Fixture(client::ListOptions options = {}) {
    client::InformerIndex by_owner;
    by_owner.name = "owner";
    by_owner.values = [](const api::StoredObject& object) {
      std::vector<std::string> values;
      auto owner = api::scan_string(object.text(), {"metadata", "labels", "owner"});
      if (owner) values.push_back(*owner);
      return values;
    };
    std::vector<client::InformerIndex> indexes;
    indexes.push_back(std::move(by_owner));
    informer = client::make_informer(api, loop, config_maps, options, std::move(indexes));
    informer->add_handler([this](const api::StoredObject& before, const api::StoredObject& after) {
      const auto& object = after.empty() ? before : after;
      std::string line(before.empty() ? "+" : after.empty() ? "-" : "~");
      changes.push_back(line + std::string(object.name()));
    });
  }
  ~Fixture() {
    scope.cancel();
    loop.run(scope.join());
  }
  void start() {
    scope.spawn(informer->run(scope.token()));
    loop.run_ready();
  }
  std::vector<std::string> take_changes() { return std::exchange(changes, {}); }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an informer lists, then follows adds, updates and removals") {
  Fixture f;
  f.api.put(config_maps, config_map("default", "a", "x"));
  CHECK_FALSE(f.informer->has_synced());
  f.start();
  CHECK(f.informer->has_synced());
  CHECK(f.loop.run(f.informer->wait_synced({})));
  CHECK(f.take_changes() == Lines{"+a"});
  f.api.put(config_maps, config_map("default", "b", "x"));
  f.api.put(config_maps, config_map("kube", "a", "y"));
  f.api.put(config_maps, config_map("default", "a", "y"));
  f.loop.run_ready();
  CHECK(f.take_changes() == Lines{"+b", "+a", "~a"});
  CHECK(f.informer->size() == 3);
  CHECK(f.informer->list("default").size() == 2);
  CHECK(f.informer->list("def").empty());
  CHECK(f.informer->by_index("owner", "x").size() == 1);
  CHECK(f.informer->by_index("owner", "y").size() == 2);
  CHECK(f.informer->by_index("nobody", "y").empty());
  f.api.erase(config_maps, "default/a");
  f.loop.run_ready();
  CHECK(f.take_changes() == Lines{"-a"});
  CHECK(f.informer->get("default/a").empty());
  CHECK(f.informer->get("kube/a").name() == "a");
  CHECK(f.informer->by_index("owner", "y").size() == 1);
}

TEST_CASE("a lost watch is resumed where it was, without a new list") {
  Fixture f;
  f.start();
  CHECK(f.api.lists == 1);
  f.api.end_watches(base::Code::unavailable);
  f.loop.run_ready();
  f.api.put(config_maps, config_map("default", "a", "x"));
  f.loop.advance(1s);
  CHECK(f.take_changes() == Lines{"+a"});
  CHECK(f.api.lists == 1);
  CHECK(f.api.watches == 2);
}

TEST_CASE("an expired watch leads to a new list that tells what was missed") {
  Fixture f;
  f.api.put(config_maps, config_map("default", "a", "x"));
  f.api.put(config_maps, config_map("default", "b", "x"));
  f.start();
  f.take_changes();
  f.api.end_watches(base::Code::unavailable);
  f.loop.run_ready();
  f.api.erase(config_maps, "default/a");
  f.api.put(config_maps, config_map("default", "c", "x"));
  f.api.end_watches(base::Code::expired);
  f.loop.advance(2s);
  CHECK(f.take_changes() == Lines{"-a", "~b", "+c"});
  CHECK(f.api.lists == 2);
  CHECK(f.informer->by_index("owner", "x").size() == 2);
}

TEST_CASE("a server that is away is asked with growing pauses, up to half a minute") {
  Fixture f;
  f.api.fault = [](std::string_view, client::Resource, std::string_view) {
    return base::unavailable("away");
  };
  f.start();
  CHECK_FALSE(f.informer->has_synced());
  f.loop.advance(10min);
  CHECK(f.api.lists >= 20);
  CHECK(f.api.lists <= 45);
  f.api.fault = nullptr;
  f.loop.advance(40s);
  CHECK(f.informer->has_synced());
}

TEST_CASE("where asking costs nothing, or nobody is there, an outage is over soon after its end") {
  Fixture f;
  f.api.retry_max = 1s;
  f.api.put(config_maps, config_map("default", "a", "x"));
  f.api.fault = [](auto, auto, auto) { return base::unavailable("away"); };
  f.start();
  f.loop.advance(10min);
  CHECK(f.api.lists < 800);
  f.api.fault = nullptr;
  f.loop.advance(1200ms);
  CHECK(f.informer->has_synced());
  // The connection is back, and the server refuses: it is asked with growing pauses again.
  f.api.fault = [](auto, auto, auto) { return base::unavailable("busy"); };
  f.api.retry_max = 30s;
  f.api.end_watches(base::Code::expired);
  f.api.lists = 0;
  f.loop.advance(1min);
  CHECK(f.api.lists < 12);
}

TEST_CASE("a server whose watches fail at once is not asked in a busy loop") {
  Fixture f;
  f.api.fault = [](std::string_view verb, client::Resource, std::string_view) {
    return verb == "watch" ? base::Status(base::Code::expired, "too old") : base::Status::ok();
  };
  f.start();
  f.loop.advance(10min);
  CHECK(f.api.lists <= 45);
  CHECK(f.informer->has_synced());
}

TEST_CASE("waiting for the first list ends when cancelled") {
  Fixture f;
  base::CancelSource cancel;
  f.loop.start_timer(1s, [cancel] { cancel.cancel(); });
  CHECK_FALSE(f.loop.run(f.informer->wait_synced(cancel.token())));
}
