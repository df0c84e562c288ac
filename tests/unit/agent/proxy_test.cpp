// The proxy and the DNS records over informers on the small API in memory.
#include "agent/proxy/dns_records.h"
#include "agent/proxy/plan_host_ports.h"
#include "agent/proxy/service_table.h"

#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::agent;
using net::DnsAnswer;
using net::DnsType;
namespace resources = client::resources;
using namespace std::chrono_literals;

namespace {

// Remembers what it was asked to hold.
class RecordedRules final : public net::PacketRules {
 public:
  base::Status apply(const net::RuleSet& rules) override {
    ++applies;
    if (failures > 0) {
      --failures;
      return base::unavailable("the kernel says no");
    }
    held = rules;
    return {};
  }
  base::Status clear() override { return {}; }
  int applies = 0;
  int failures = 0;
  net::RuleSet held;
};

codec::Json parse(const std::string& text) {
  auto parsed = codec::parse_json(text);
  REQUIRE(parsed);
  return std::move(*parsed);
}

struct World {
  World() {
    ServiceProxyOptions options;
    options.node_name = "n1";
    options.cluster_dns = "10.43.0.10";
    options.cluster_cidr = "10.42.0.0/16";
    options.service_cidr = "10.43.0.0/16";
    proxy = make_service_proxy(*view, rules, loop, loop, options);
    scope.spawn(services->run(scope.token()));
    scope.spawn(slices->run(scope.token()));
    scope.spawn(proxy->run(scope.token()));
  }
  ~World() {
    scope.cancel();
    loop.run(scope.join());
  }
  void put_service(const std::string& name, const std::string& spec) {
    api.put(resources::services,
            parse(base::concat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")", name,
                               R"(","namespace":"default"},"spec":{)", spec, "}}")));
  }
  void put_slice(const std::string& name, const std::string& service,
                 const std::string& endpoints) {
    api.put(
        resources::endpoint_slices,
        parse(base::concat(
            R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":")",
            name, R"(","namespace":"default","labels":{"kubernetes.io/service-name":")", service,
            R"("}},"addressType":"IPv4",)",
            R"("ports":[{"name":"http","protocol":"TCP","port":8080}],"endpoints":[)", endpoints,
            "]}")));
  }
  std::string held() const {
    std::string text;
    for (const auto& rule : rules.held.services) {
      text += base::concat(rule.name, "=");
      for (const auto& endpoint : rule.endpoints) text += endpoint.address + " ";
    }
    return text;
  }
  DnsAnswer ask(std::string_view name, DnsType type = DnsType::a) {
    return records.look_up(name, type);
  }
  std::string data(std::string_view name, DnsType type = DnsType::a) {
    std::string text;
    for (const auto& record : ask(name, type).records)
      text += base::concat(text.empty() ? "" : " ", record.data);
    return text;
  }

  test::SimLoop loop;
  test::MemoryApi api{loop};
  RecordedRules rules;
  std::unique_ptr<client::Informer> services =
      client::make_informer(api, loop, resources::services, {}, {});
  std::unique_ptr<client::Informer> slices =
      client::make_informer(api, loop, resources::endpoint_slices, {}, {});
  std::unique_ptr<ServiceView> view = make_service_view(*services, *slices);
  DnsRecords records{
      static_cast<ServiceTable&>(*view), "cluster.local", {"10.43.0.0/16", "10.42.0.0/16"}};
  std::unique_ptr<ServiceProxy> proxy;
  base::TaskScope scope{loop};
};

constexpr const char* kHttp =
    R"("clusterIP":"10.43.0.5","ports":[{"name":"http","protocol":"TCP","port":80}])";
std::string endpoint(const std::string& address, const std::string& more = "") {
  return base::concat(R"({"addresses":[")", address, R"("],"conditions":{"ready":true})", more,
                      "}");
}

base::Task<void> terminate(ServiceProxy* proxy, std::string address, base::CancelToken cancel,
                           std::optional<bool>* holds) {
  bool result = co_await proxy->begin_termination(std::move(address), cancel);
  holds->emplace(result);
}

}  // namespace

TEST_CASE("the rules follow Services and slices, in any order of their coming") {
  World world;
  world.put_slice("web-1", "web", endpoint("10.42.0.2"));
  world.loop.advance(1s);
  CHECK(world.proxy->has_applied());
  CHECK(world.held() == "");
  world.put_service("web", kHttp);
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=10.42.0.2 ");
  world.put_slice("web-2", "web", endpoint("10.42.0.3"));
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=10.42.0.2 10.42.0.3 ");
  world.put_slice("web-1", "other", endpoint("10.42.0.2"));
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=10.42.0.3 ");
  world.api.erase(resources::endpoint_slices, "default/web-2");
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=");
  world.api.erase(resources::services, "default/web");
  world.loop.advance(1s);
  CHECK(world.held() == "");
  CHECK(world.rules.held.service_cidr == "10.43.0.0/16");
}

TEST_CASE("nothing is applied before both lists are in, nor while nothing changes") {
  World world;
  int lists = 0;
  world.api.fault = [&](std::string_view verb, client::Resource resource, std::string_view) {
    bool fails = verb == "list" && resource.resource == "endpointslices" && ++lists <= 3;
    return fails ? base::unavailable("away") : base::Status();
  };
  world.put_service("web", kHttp);
  world.loop.run_ready();
  CHECK(world.rules.applies == 0);
  world.loop.advance(60s);
  CHECK(world.rules.applies == 1);
  world.loop.advance(std::chrono::minutes(30));
  CHECK(world.rules.applies == 1);
}

TEST_CASE("a proxy that is made late finds what was there before") {
  World world;
  world.put_service("web", kHttp);
  world.put_slice("web-1", "web", endpoint("10.42.0.2"));
  world.loop.advance(1s);
  RecordedRules late_rules;
  auto late = make_service_proxy(*world.view, late_rules, world.loop, world.loop, {});
  base::TaskScope scope(world.loop);
  scope.spawn(late->run(scope.token()));
  world.loop.advance(1s);
  CHECK(late->has_applied());
  REQUIRE(late_rules.held.services.size() == 1);
  CHECK(late_rules.held.services[0].endpoints.size() == 1);
  scope.cancel();
  world.loop.run(scope.join());
}

TEST_CASE("a failed change of the rules is tried again, with what came meanwhile") {
  World world;
  world.loop.advance(1s);
  world.rules.failures = 3;
  world.put_service("web", kHttp);
  world.loop.advance(1s);
  world.put_slice("web-1", "web", endpoint("10.42.0.2"));
  world.loop.advance(20s);
  CHECK(world.rules.failures == 0);
  CHECK(world.held() == "default/web:http=10.42.0.2 ");
}

TEST_CASE("the end of a pod waits until the rules are without it") {
  World world;
  world.put_service("web", kHttp);
  world.put_slice("web-1", "web", endpoint("10.42.0.2") + "," + endpoint("10.42.0.3"));
  world.loop.advance(1s);
  std::optional<bool> holds;
  world.rules.failures = 1;
  world.scope.spawn(terminate(world.proxy.get(), "10.42.0.2", {}, &holds));
  world.loop.run_ready();
  CHECK_FALSE(holds.has_value());
  world.loop.advance(5s);
  REQUIRE(holds.has_value());
  CHECK(*holds);
  CHECK(world.held() == "default/web:http=10.42.0.3 ");
  world.proxy->forget_address("10.42.0.2");
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=10.42.0.2 10.42.0.3 ");

  // An address in no rule waits for nothing; a cancelled wait says so.
  holds.reset();
  world.scope.spawn(terminate(world.proxy.get(), "10.42.0.99", {}, &holds));
  world.loop.run_ready();
  CHECK(holds == true);
  holds.reset();
  base::CancelSource stop;
  world.rules.failures = 100;
  world.scope.spawn(terminate(world.proxy.get(), "10.42.0.3", stop.token(), &holds));
  world.loop.run_ready();
  stop.cancel();
  world.loop.run_ready();
  CHECK(holds == false);
}

TEST_CASE("DNS: a Service with a cluster address") {
  World world;
  world.put_service("web", kHttp);
  world.put_slice("web-1", "web", endpoint("10.42.0.2"));
  world.loop.advance(1s);
  CHECK(world.data("web.default.svc.cluster.local") == "10.43.0.5");
  auto aaaa = world.ask("web.default.svc.cluster.local", DnsType::aaaa);
  CHECK(aaaa.outcome == DnsAnswer::Outcome::found);
  CHECK(aaaa.records.empty());
  auto srv = world.ask("_http._tcp.web.default.svc.cluster.local", DnsType::srv);
  REQUIRE(srv.records.size() == 1);
  CHECK(srv.records[0].data == "web.default.svc.cluster.local");
  CHECK(srv.records[0].port == 80);
  REQUIRE(srv.additional.size() == 1);
  CHECK(srv.additional[0].data == "10.43.0.5");
  CHECK(world.data("5.0.43.10.in-addr.arpa", DnsType::ptr) == "web.default.svc.cluster.local");
}

TEST_CASE("DNS: a headless Service with named and unnamed endpoints") {
  World world;
  world.put_service("db", R"("clusterIP":"None","ports":[{"name":"http","port":80}])");
  world.put_slice("db-1", "db",
                  endpoint("10.42.0.2", R"(,"hostname":"db-0")") + "," + endpoint("10.42.0.3") +
                      R"(,{"addresses":["10.42.0.4"],"conditions":{"ready":false}})");
  world.loop.advance(1s);
  CHECK(world.data("db.default.svc.cluster.local") == "10.42.0.2 10.42.0.3");
  CHECK(world.data("db-0.db.default.svc.cluster.local") == "10.42.0.2");
  CHECK(world.data("10-42-0-3.db.default.svc.cluster.local") == "10.42.0.3");
  CHECK(world.ask("10-42-0-4.db.default.svc.cluster.local").outcome ==
        DnsAnswer::Outcome::no_such_name);
  auto srv = world.ask("_http._tcp.db.default.svc.cluster.local", DnsType::srv);
  REQUIRE(srv.records.size() == 2);
  CHECK(srv.records[0].data == "db-0.db.default.svc.cluster.local");
  CHECK(srv.records[0].port == 8080);
  CHECK(srv.records[0].weight == 50);
  CHECK(world.data("2.0.42.10.in-addr.arpa", DnsType::ptr) == "db-0.db.default.svc.cluster.local");
  CHECK(world.ask("_smtp._tcp.db.default.svc.cluster.local", DnsType::srv).outcome ==
        DnsAnswer::Outcome::no_such_name);
}

TEST_CASE("DNS: ExternalName is an alias, followed inside the cluster and bounded") {
  World world;
  world.put_service("web", kHttp);
  world.put_service("out", R"("type":"ExternalName","externalName":"Example.ORG.")");
  world.put_service("in",
                    R"("type":"ExternalName","externalName":"web.default.svc.cluster.local")");
  world.put_service("loop",
                    R"("type":"ExternalName","externalName":"loop.default.svc.cluster.local")");
  world.loop.advance(1s);
  auto out = world.ask("out.default.svc.cluster.local");
  REQUIRE(out.records.size() == 1);
  CHECK(out.records[0].type == DnsType::cname);
  CHECK(out.records[0].data == "example.org");
  CHECK(world.data("in.default.svc.cluster.local") == "web.default.svc.cluster.local 10.43.0.5");
  CHECK(world.ask("loop.default.svc.cluster.local").records.size() < 20);
}

TEST_CASE("DNS: pods, names between, foreign names and names that nobody has") {
  World world;
  world.put_service("web", kHttp);
  world.loop.advance(1s);
  CHECK(world.data("10-42-0-9.default.pod.cluster.local") == "10.42.0.9");
  using Outcome = DnsAnswer::Outcome;
  CHECK(world.ask("10-42-0.default.pod.cluster.local").outcome == Outcome::no_such_name);
  CHECK(world.ask("cluster.local").outcome == Outcome::found);
  CHECK(world.ask("svc.cluster.local").outcome == Outcome::found);
  CHECK(world.ask("default.svc.cluster.local").outcome == Outcome::found);
  CHECK(world.ask("nowhere.svc.cluster.local").outcome == Outcome::no_such_name);
  CHECK(world.ask("none.default.svc.cluster.local").outcome == Outcome::no_such_name);
  CHECK(world.ask("a.b.c.web.default.svc.cluster.local").outcome == Outcome::no_such_name);
  CHECK(world.ask("example.org").outcome == Outcome::not_ours);
  CHECK(world.ask("xcluster.local").outcome == Outcome::not_ours);
  CHECK(world.ask("").outcome == Outcome::not_ours);
  CHECK(world.ask("..svc.cluster.local").outcome == Outcome::no_such_name);
  CHECK(world.data("dns-version.cluster.local", DnsType::txt) == "1.1.0");
  CHECK(world.ask("9.9.43.10.in-addr.arpa", DnsType::ptr).outcome == Outcome::no_such_name);
  CHECK(world.ask("8.8.8.8.in-addr.arpa", DnsType::ptr).outcome == Outcome::not_ours);
  CHECK(world.ask("x.8.8.8.in-addr.arpa", DnsType::ptr).outcome == Outcome::not_ours);
}

TEST_CASE("the cluster's DNS serves on its address until cancelled, and waits for the address") {
  test::SimLoop sim;
  test::MemoryApi api{sim};
  auto services = client::make_informer(api, sim, resources::services, {}, {});
  auto slices = client::make_informer(api, sim, resources::endpoint_slices, {}, {});
  auto view = make_service_view(*services, *slices);
  auto loop = loop::make_loop("dns");
  REQUIRE(loop);
  auto random = base::seeded_random(1);
  ClusterDnsOptions options;
  options.server.addresses = {"127.0.0.1"};
  options.server.port = 0;
  auto dns = make_cluster_dns(*view, **loop, *random, options);
  base::CancelSource stop;
  bool served = false;
  auto run = [](ClusterDns* server, base::CancelToken cancel, loop::Loop* on) -> base::Task<void> {
    co_await server->run(cancel);
    on->stop();
  };
  base::spawn_detached(**loop, run(dns.get(), stop.token(), loop->get()));
  (*loop)->start_timer(20ms, [&] {
    served = dns->is_serving();
    stop.cancel();
  });
  (*loop)->run();
  CHECK(served);
  CHECK_FALSE(dns->is_serving());
}

TEST_CASE("host ports of pods stand beside the Services, what is taken does not") {
  World world;
  world.put_service("web", R"("clusterIP":"10.43.0.5","type":"NodePort",
      "ports":[{"name":"http","protocol":"TCP","port":80,"nodePort":30080}])");
  world.put_slice("web-1", "web", endpoint("10.42.0.2"));
  auto rules_of = [](std::string_view uid, const std::string& ip, std::string_view ports) {
    return plan_host_ports(
        parse(base::concat(R"({"metadata":{"uid":")", uid, R"("},"spec":{"containers":[{"ports":[)",
                           ports, "]}]}}")),
        ip);
  };
  auto first =
      rules_of("a", "10.42.0.7",
               R"({"containerPort":80,"hostPort":8080,"protocol":"TCP"},{"containerPort":90},
      {"containerPort":53,"hostPort":8080,"hostIP":"192.0.2.1","protocol":"UDP"},
      {"containerPort":1,"hostPort":30080,"protocol":"TCP"})");
  REQUIRE(first.size() == 3);
  CHECK(first[0].node_port == 8080);
  CHECK(first[0].local_only);
  CHECK(first[0].endpoints == std::vector<net::RuleEndpoint>{{"10.42.0.7", 80}});
  CHECK(first[1].node_port == 0);
  CHECK(first[1].external_ips == std::vector<std::string>{"192.0.2.1"});
  CHECK(first[1].protocol == net::Protocol::udp);
  world.proxy->set_host_ports("a", first);
  world.proxy->set_host_ports(
      "b", rules_of("b", "10.42.0.8", R"({"containerPort":80,"hostPort":8080,"protocol":"TCP"})"));
  world.loop.advance(1s);
  // 30080 is the Service's, 8080 the first pod's.
  CHECK(world.held() ==
        "default/web:http=10.42.0.2 hostport/a::8080=10.42.0.7 "
        "hostport/a:192.0.2.1:8080=10.42.0.7 ");
  world.proxy->set_host_ports("a", {});
  world.loop.advance(1s);
  CHECK(world.held() == "default/web:http=10.42.0.2 hostport/b::8080=10.42.0.8 ");
  CHECK(plan_host_ports(parse(R"({"spec":{"hostNetwork":true,"containers":[{"ports":[
      {"containerPort":80,"hostPort":80}]}]}})"),
                        "192.0.2.1")
            .empty());
}
