// The contract of client::Client, for both of its real implementations.
#include "support/blocking_executor.h"
#include "unit/apiserver/cluster_fixture.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <optional>
#include <thread>

using namespace skiff;
using namespace skiff::test;
using client::resources::config_maps;
using client::resources::pods;
using codec::Json;

namespace {

Json config_map(std::string_view name, std::string_view value, std::string_view color = "red") {
  Json metadata = Json::object({{"name", name}, {"namespace", "default"}});
  metadata.set("labels", Json::object({{"color", color}}));
  return Json::object({{"apiVersion", "v1"},
                       {"kind", "ConfigMap"},
                       {"metadata", std::move(metadata)},
                       {"data", Json::object({{"key", value}})}});
}

std::string data_of(const api::StoredObject& object) {
  auto tree = object.parse();
  return tree ? std::string(std::as_const(*tree)["data"]["key"].as_string()) : "?";
}

// One client, its tasks awaited on this thread.
struct ClientCase {
  explicit ClientCase(const std::string& which) {
    master.serve();
    if (which == "loopback") {
      own = master.loopback();
    } else {
      worker.emplace(authority.client_tls("admin", "system:masters"),
                     std::vector<std::uint16_t>{master.port()});
    }
  }
  client::Client& client() { return own ? *own : worker->client(); }
  template <class T>
  T run(base::Task<T> task) {
    return home.run(std::move(task));
  }
  base::Result<Json> create(Json object) {
    return run(client().create(config_maps, "default", std::move(object)));
  }
  std::vector<std::string> next(client::WatchStream& stream, std::size_t count) {
    std::vector<std::string> lines;
    while (lines.size() < count) {
      auto events = run(stream.next());
      if (!events) return {events.status().to_string()};
      for (const auto& event : *events) {
        if (event.type == client::WatchEvent::Type::bookmark) continue;
        std::string_view mark = event.type == client::WatchEvent::Type::added      ? "+"
                                : event.type == client::WatchEvent::Type::modified ? "~"
                                                                                   : "-";
        lines.push_back(base::concat(mark, event.object.name(), "=", data_of(event.object)));
        CHECK(event.revision > 0);
      }
    }
    return lines;
  }

  TestAuthority authority;
  TestMaster master{authority};
  std::optional<TestWorker> worker;
  std::unique_ptr<client::Client> own;
  BlockingExecutor home;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("client contract: objects are made, read, changed and removed") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  auto made = c.create(config_map("a", "1"));
  REQUIRE(made.status().to_string() == "ok");
  CHECK_FALSE(api::uid_of(*made).empty());
  auto read = c.run(c.client().get(config_maps, "default", "a"));
  REQUIRE(read);
  CHECK(*read == *made);
  Json changed = *read;
  changed["data"].set("key", "2");
  auto updated = c.run(c.client().update(config_maps, changed));
  REQUIRE(updated.status().to_string() == "ok");
  CHECK(api::resource_version_of(*updated) != api::resource_version_of(*made));
  CHECK(c.run(c.client().update(config_maps, changed)).code() == base::Code::conflict);

  Json merge = Json::object({{"data", Json::object({{"key", "3"}})}});
  auto merged =
      c.run(c.client().patch(config_maps, "default", "a", client::PatchType::merge, merge));
  REQUIRE(merged);
  CHECK(std::as_const(*merged)["data"]["key"].as_string() == "3");
  merge["data"].set("key", "4");
  auto strategic =
      c.run(c.client().patch(config_maps, "default", "a", client::PatchType::strategic, merge));
  REQUIRE(strategic);
  CHECK(std::as_const(*strategic)["data"]["key"].as_string() == "4");
  Json step = Json::object({{"op", "replace"}, {"path", "/data/key"}, {"value", "5"}});
  auto stepped = c.run(
      c.client().patch(config_maps, "default", "a", client::PatchType::json, Json::array({step})));
  REQUIRE(stepped);
  CHECK(std::as_const(*stepped)["data"]["key"].as_string() == "5");
  auto applied = c.run(c.client().patch(config_maps, "default", "a", client::PatchType::apply,
                                        config_map("a", "6")));
  REQUIRE(applied.status().to_string() == "ok");
  CHECK(std::as_const(*applied)["data"]["key"].as_string() == "6");

  client::DeleteOptions other;
  other.uid = "00000000-0000-4000-8000-000000000000";
  CHECK(c.run(c.client().remove(config_maps, "default", "a", other)).code() ==
        base::Code::conflict);
  CHECK(c.run(c.client().remove(config_maps, "default", "a")).to_string() == "ok");
  CHECK(c.run(c.client().get(config_maps, "default", "a")).code() == base::Code::not_found);
}

TEST_CASE("client contract: errors keep reason and sentence") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  REQUIRE(c.create(config_map("a", "1")));
  CHECK(c.create(config_map("a", "1")).status().to_string() ==
        "already_exists: configmaps \"a\" already exists");
  CHECK(c.run(c.client().get(config_maps, "default", "b")).status().to_string() ==
        "not_found: configmaps \"b\" not found");
  CHECK(c.run(c.client().remove(config_maps, "default", "b")).to_string() ==
        "not_found: configmaps \"b\" not found");
  CHECK(c.create(config_map("Not A Name", "1")).code() == base::Code::invalid_argument);
  client::Resource unknown{"", "v1", "unicorns"};
  CHECK(c.run(c.client().get(unknown, "default", "a")).code() == base::Code::not_found);
  CHECK(c.run(c.client().list(unknown, {})).code() == base::Code::not_found);
  client::ListOptions broken;
  broken.label_selector = "a in";
  CHECK(c.run(c.client().list(config_maps, broken)).code() == base::Code::invalid_argument);
  CHECK(c.run(c.client().watch(config_maps, broken, 1, {})).code() == base::Code::invalid_argument);
  CHECK(c.run(c.client().watch(unknown, {}, 1, {})).code() == base::Code::not_found);
}

TEST_CASE("client contract: a token is made for an account") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  Json account = Json::object({{"apiVersion", "v1"},
                               {"kind", "ServiceAccount"},
                               {"metadata", Json::object({{"name", "builder"}})}});
  REQUIRE(c.run(c.client().create(client::resources::service_accounts, "default", account)));
  Json request = Json::object({{"apiVersion", "authentication.k8s.io/v1"},
                               {"kind", "TokenRequest"},
                               {"spec", Json::object({{"expirationSeconds", Json(3600)}})}});
  auto token = c.run(c.client().create(client::resources::service_accounts, "default", request,
                                       "token", "builder"));
  REQUIRE(token.status().to_string() == "ok");
  CHECK_FALSE(std::as_const(*token)["status"]["token"].as_string().empty());
}

TEST_CASE("client contract: a list has what the selectors say, at one revision") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  for (int i = 0; i < 300; ++i) {
    auto name = base::concat("m-", 1000 + i);
    REQUIRE(c.create(config_map(name, std::string(2000, 'x'), i % 3 == 0 ? "red" : "blue")));
  }
  client::ListOptions options;
  options.namespace_name = "default";
  options.label_selector = "color=red";
  auto list = c.run(c.client().list(config_maps, options));
  REQUIRE(list.status().to_string() == "ok");
  REQUIRE(list->items.size() == 100);
  CHECK(list->items[0].name() == "m-1000");
  CHECK(list->items[99].name() == "m-1297");
  CHECK(data_of(list->items[99]).size() == 2000);
  auto read = c.run(c.client().get(config_maps, "default", "m-1297"));
  REQUIRE(read);
  CHECK(*list->items[99].parse() == *read);
  options.label_selector.clear();
  auto all = c.run(c.client().list(config_maps, options));
  REQUIRE(all);
  CHECK(all->items.size() >= 300);
  CHECK(all->revision >= list->items[99].revision());
  options.field_selector = "metadata.name=none";
  auto none = c.run(c.client().list(config_maps, options));
  REQUIRE(none);
  CHECK(none->items.empty());
  CHECK(none->revision > 0);
}

TEST_CASE("client contract: a watch goes on where the list was") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  REQUIRE(c.create(config_map("a", "1")));
  client::ListOptions options;
  options.namespace_name = "default";
  options.label_selector = "color=red";
  auto list = c.run(c.client().list(config_maps, options));
  REQUIRE(list);
  base::CancelSource cancel;
  auto opened = c.run(c.client().watch(config_maps, options, list->revision, cancel.token()));
  REQUIRE(opened.status().to_string() == "ok");
  auto& stream = **opened;
  REQUIRE(c.create(config_map("b", "1")));
  CHECK(c.next(stream, 1) == Lines{"+b=1"});
  for (std::string value : {"2", "3", "4"}) {
    Json merge = Json::object({{"data", Json::object({{"key", value}})}});
    REQUIRE(c.run(c.client().patch(config_maps, "default", "a", client::PatchType::merge, merge)));
  }
  CHECK(c.next(stream, 3) == Lines{"~a=2", "~a=3", "~a=4"});
  // Out of the selection and into it again.
  auto color = [&](std::string_view value) {
    Json labels = Json::object({{"labels", Json::object({{"color", value}})}});
    return c.run(c.client().patch(config_maps, "default", "a", client::PatchType::merge,
                                  Json::object({{"metadata", labels}})));
  };
  REQUIRE(color("blue"));
  REQUIRE(color("red"));
  REQUIRE(c.run(c.client().remove(config_maps, "default", "b")).is_ok());
  CHECK(c.next(stream, 3) == Lines{"-a=4", "+a=4", "-b=1"});
  cancel.cancel();
  CHECK(c.run(stream.next()).code() == base::Code::cancelled);
}

TEST_CASE("client contract: tasks resume where they are awaited") {
  auto which = GENERATE("loopback", "uplink");
  CAPTURE(which);
  ClientCase c(which);
  auto here = std::this_thread::get_id();
  auto ask = [](client::Client* client, std::thread::id expected) -> base::Task<bool> {
    auto getting = client->get(config_maps, "default", "a");
    (void)co_await getting;
    bool good = std::this_thread::get_id() == expected;
    auto listing = client->list(config_maps, {});
    auto list = co_await listing;
    good = good && list.is_ok() && std::this_thread::get_id() == expected;
    auto watching = client->watch(config_maps, {}, list->revision, {});
    auto stream = co_await watching;
    good = good && stream.is_ok() && std::this_thread::get_id() == expected;
    auto removing = client->remove(config_maps, "default", "a");
    (void)co_await removing;
    co_return good&& std::this_thread::get_id() == expected;
  };
  CHECK(c.run(ask(&c.client(), here)));
}
