// What an uplink does when masters come, go and refuse.
#include "support/blocking_executor.h"
#include "unit/apiserver/cluster_fixture.h"

#include <skiff/base/strings.h>
#include <skiff/client/informer.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <map>

using namespace skiff;
using namespace skiff::test;
using client::resources::config_maps;
using codec::Json;

namespace {

Json config_map(std::string_view name, std::string_view value) {
  return Json::object({{"apiVersion", "v1"},
                       {"kind", "ConfigMap"},
                       {"metadata", Json::object({{"name", name}, {"namespace", "default"}})},
                       {"data", Json::object({{"key", value}})}});
}

constexpr std::uint16_t kNobody = 1;  // a port that refuses

struct Cluster {
  TestAuthority authority;
  TestMaster master{authority};
  BlockingExecutor home;

  std::shared_ptr<http::TlsContext> tls() const {
    return authority.client_tls("admin", "system:masters");
  }
  std::unique_ptr<client::WatchStream> watch_from_now(client::Client& client) {
    auto list = home.run(client.list(config_maps, {}));
    REQUIRE(list.status().to_string() == "ok");
    auto opened = home.run(client.watch(config_maps, {}, list->revision, {}));
    REQUIRE(opened.status().to_string() == "ok");
    return std::move(*opened);
  }
  void create(client::Client& client, std::string_view name) {
    auto made = home.run(client.create(config_maps, "default", config_map(name, "1")));
    REQUIRE(made.status().to_string() == "ok");
  }
  std::string next_name(client::WatchStream& stream) {
    auto events = home.run(stream.next());
    if (!events) return events.status().to_string();
    CHECK(events->size() == 1);
    return std::string(events->front().object.name());
  }
};

}  // namespace

TEST_CASE("uplink: the next master is asked when one refuses") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {kNobody, kNobody, c.master.port()});
  worker.wait_changes(1);
  c.create(worker.client(), "a");
}

TEST_CASE("uplink: a master whose certificate has another name is not talked to") {
  Cluster c;
  c.master.serve(0, "localhost");
  TestMaster good(c.authority);
  good.serve();
  TestWorker worker(c.tls(), {c.master.port(), good.port()});
  worker.wait_changes(1);
  c.create(worker.client(), "a");
  CHECK(c.home.run(good.loopback()->get(config_maps, "default", "a")));
}

TEST_CASE("uplink: requests wait for a master that is not there yet") {
  Cluster c;
  c.master.serve();
  auto port = c.master.port();
  c.master.stop();
  TestWorker worker(c.tls(), {port});
  auto asking = [](client::Client* client, TestMaster* master,
                   std::uint16_t at) -> base::Task<base::Code> {
    auto getting = client->get(config_maps, "default", "a");
    master->serve(at);
    auto got = co_await getting;
    co_return got.code();
  };
  CHECK(c.home.run(asking(&worker.client(), &c.master, port)) == base::Code::not_found);
}

TEST_CASE("uplink: a watch goes on after a restart of the master, and misses nothing") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto stream = c.watch_from_now(worker.client());
  auto local = c.master.loopback();
  c.create(*local, "a");
  CHECK(c.next_name(*stream) == "a");
  auto port = c.master.port();
  c.master.stop();
  worker.wait_changes(2);
  c.create(*local, "b");
  c.master.serve(port);
  worker.wait_changes(3);
  CHECK(c.next_name(*stream) == "b");
  c.create(worker.client(), "c");
  CHECK(c.next_name(*stream) == "c");
}

TEST_CASE("uplink: a watch that fell too far behind during an outage says so") {
  Cluster c;
  watch::HubOptions small;
  small.ring_events_max = 8;
  TestMaster master(c.authority, small);
  master.serve();
  TestWorker worker(c.tls(), {master.port()});
  auto stream = c.watch_from_now(worker.client());
  auto port = master.port();
  auto local = master.loopback();
  master.stop();
  worker.wait_changes(2);
  for (int i = 0; i < 20; ++i) c.create(*local, base::concat("m-", i));
  master.serve(port);
  CHECK(c.home.run(stream->next()).code() == base::Code::expired);
}

TEST_CASE("uplink: an informer on it follows through a restart of the master") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  worker.wait_changes(1);
  auto& loop = worker.thread().loop();
  std::unique_ptr<client::Informer> informer;
  base::CancelSource cancel;
  std::promise<void> all;
  worker.thread().call([&] {
    informer = client::make_informer(worker.client(), loop, config_maps, {}, {});
    informer->add_handler([&](const api::StoredObject&, const api::StoredObject& after) {
      if (after.name() == "last") all.set_value();
    });
  });
  auto follow = [](client::Informer* informer, base::CancelToken token) -> base::Task<bool> {
    auto running = informer->run(token);
    co_await running;
    co_return true;
  };
  auto running = worker.thread().start(follow(informer.get(), cancel.token()));
  auto local = c.master.loopback();
  c.create(*local, "first");
  auto port = c.master.port();
  c.master.stop();
  worker.wait_changes(2);
  c.create(*local, "last");
  c.master.serve(port);
  all.get_future().get();
  worker.thread().call([&] { CHECK(informer->size() >= 2); });
  cancel.cancel();
  running.get();
  worker.thread().call([&] { informer = nullptr; });
}

TEST_CASE("uplink: a user that may not list or watch is told") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.authority.client_tls("nobody", "visitors"), {c.master.port()});
  auto& client = worker.client();
  CHECK(c.home.run(client.list(config_maps, {})).code() == base::Code::permission_denied);
  CHECK(c.home.run(client.watch(config_maps, {}, 1, {})).code() == base::Code::permission_denied);
}

TEST_CASE("uplink: after a stop requests and watches fail") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto stream = c.watch_from_now(worker.client());
  worker.stop();
  CHECK(c.home.run(stream->next()).code() == base::Code::cancelled);
  auto& client = worker.client();
  CHECK(c.home.run(client.get(config_maps, "default", "a")).code() == base::Code::unavailable);
  CHECK(c.home.run(client.list(config_maps, {})).code() == base::Code::unavailable);
  CHECK(c.home.run(client.watch(config_maps, {}, 1, {})).code() == base::Code::unavailable);
}

TEST_CASE("uplink: a control session that ends takes the connection with it") {
  Cluster c;
  c.master.serve();
  std::atomic<int> sessions = 0;
  auto session = [&sessions](http::Http2Connection&, client::NodeChannel*,
                             std::function<void()> on_established,
                             base::CancelToken cancel) -> base::Task<base::Status> {
    if (++sessions == 1) co_return base::unavailable("refused");
    on_established();
    base::OneShot<bool> over;
    base::CancelCallback on_cancel(cancel, [over] { over.set(true); });
    auto future = over.future();
    (void)co_await future;
    co_return base::cancelled("stopped");
  };
  TestWorker worker(c.tls(), {c.master.port()}, session);
  worker.wait_changes(1);
  CHECK(sessions == 2);
  c.create(worker.client(), "a");
}

TEST_CASE("uplink: a node with its control session reads, watches and writes what is its own") {
  Cluster c;
  c.master.serve();
  auto node_session = [](http::Http2Connection& connection, client::NodeChannel* channel,
                         std::function<void()> on_established, base::CancelToken cancel) {
    auto& loop = dynamic_cast<loop::Loop&>(*base::Executor::current());
    return client::make_node_session(loop, "n1")(connection, channel, on_established, cancel);
  };
  Json node = Json::object(
      {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", Json::object({{"name", "n1"}})}});
  TestWorker worker(c.authority.client_tls("system:node:n1", "system:nodes"), {c.master.port()},
                    node_session);
  worker.wait_changes(1);
  auto& client = worker.client();
  auto made = c.home.run(client.create(client::resources::nodes, "", node));
  CHECK(made.status().to_string() == "ok");
  client::ListOptions own;
  own.field_selector = "spec.nodeName=n1";
  auto list = c.home.run(client.list(client::resources::pods, own));
  REQUIRE(list.status().to_string() == "ok");
  CHECK(c.home.run(client.watch(client::resources::pods, own, list->revision, {})));
  CHECK(c.home.run(client.watch(client::resources::pods, {}, list->revision, {})).code() ==
        base::Code::permission_denied);
}

TEST_CASE("uplink: many workers come back at once") {
  Cluster c;
  c.master.serve();
  constexpr int kWorkers = 30;
  std::vector<std::unique_ptr<TestWorker>> workers;
  for (int i = 0; i < kWorkers; ++i)
    workers.push_back(
        std::make_unique<TestWorker>(c.tls(), std::vector<std::uint16_t>{c.master.port()}));
  for (auto& worker : workers) worker->wait_changes(1);
  auto port = c.master.port();
  c.master.stop();
  for (auto& worker : workers) worker->wait_changes(2);
  c.master.serve(port);
  for (auto& worker : workers) worker->wait_changes(3);
}

TEST_CASE("uplink: one stream carries every watch; a master without it is watched by requests") {
  const bool knows = GENERATE(true, false);
  CAPTURE(knows);
  Cluster c;
  std::atomic<int> plain = 0, sessions = 0;
  c.master.intercept = [&](const http::Request& request) -> std::optional<http::Response> {
    if (request.target.find("watch=1") != std::string::npos) ++plain;
    if (request.method != "CONNECT") return std::nullopt;
    ++sessions;
    if (knows) return std::nullopt;
    http::Response refusal;
    refusal.status = 403;  // as a release says that has no such path
    return refusal;
  };
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto first = c.watch_from_now(worker.client());
  auto second = c.watch_from_now(worker.client());
  c.create(worker.client(), "a");
  CHECK(c.next_name(*first) == "a");
  CHECK(c.next_name(*second) == "a");
  CHECK(sessions == 1);
  CHECK(plain == (knows ? 0 : 2));
}

TEST_CASE("uplink: a master that does not take the certificate is not taken for an old one") {
  Cluster c;
  std::atomic<int> plain = 0, sessions = 0;
  c.master.intercept = [&](const http::Request& request) -> std::optional<http::Response> {
    if (request.target.find("watch=1") != std::string::npos) ++plain;
    if (request.method != "CONNECT" || ++sessions > 1) return std::nullopt;
    http::Response refusal;
    refusal.status = 401;
    return refusal;
  };
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto watch = c.watch_from_now(worker.client());
  c.create(worker.client(), "a");
  CHECK(c.next_name(*watch) == "a");
  CHECK(sessions == 2);
  CHECK(plain == 0);
}

TEST_CASE("uplink: changes that come as differences give the same objects") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto& client = worker.client();
  auto list = c.home.run(client.list(config_maps, {}));
  REQUIRE(list);
  std::map<std::string, api::StoredObject> kept;
  int asked = 0;
  client::ListOptions options;
  options.known_objects = [&](std::string_view key) {
    ++asked;
    return kept[std::string(key)];
  };
  auto opened = c.home.run(client.watch(config_maps, options, list->revision, {}));
  REQUIRE(opened);
  for (int i = 0; i < 20; ++i) {
    auto object = config_map("a", base::concat("value ", i));
    object["data"].set("long", std::string(3000, 'x'));
    auto local = c.master.loopback();
    auto written = i == 0 ? c.home.run(local->create(config_maps, "default", object))
                          : c.home.run(local->update(config_maps, object));
    REQUIRE(written.status().to_string() == "ok");
    if (i % 3 == 1) continue;  // several of them come in one batch
    bool seen = false;
    while (!seen) {
      auto events = c.home.run((*opened)->next());
      REQUIRE(events);
      for (const auto& event : *events) {
        kept["default/a"] = event.object;
        auto tree = event.object.parse();
        REQUIRE(tree);
        seen = *tree == *written;
      }
    }
  }
  CHECK(asked > 10);
}

TEST_CASE("uplink: a reader that has lost what it had lists again") {
  Cluster c;
  c.master.serve();
  TestWorker worker(c.tls(), {c.master.port()});
  auto& client = worker.client();
  auto list = c.home.run(client.list(config_maps, {}));
  REQUIRE(list);
  client::ListOptions options;
  options.known_objects = [](std::string_view) { return api::StoredObject(); };
  auto opened = c.home.run(client.watch(config_maps, options, list->revision, {}));
  REQUIRE(opened);
  auto object = config_map("a", "1");
  object["data"].set("long", std::string(3000, 'x'));
  REQUIRE(c.home.run(client.create(config_maps, "default", object)));
  CHECK(c.next_name(**opened) == "a");
  object["data"].set("key", "2");
  REQUIRE(c.home.run(client.update(config_maps, object)));
  CHECK(c.home.run((*opened)->next()).code() == base::Code::expired);
}
