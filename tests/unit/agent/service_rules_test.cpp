#include "agent/proxy/plan_service_rules.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::agent;

namespace {

codec::Json parse(const std::string& text) {
  auto parsed = codec::parse_json(text);
  REQUIRE(parsed);
  return std::move(*parsed);
}

ServiceModel service_of(const std::string& spec, const std::string& metadata = "") {
  auto model = read_service(parse(R"({"metadata":{"name":"web","namespace":"default")" + metadata +
                                  R"(},"spec":)" + spec + "}"));
  REQUIRE(model);
  return std::move(*model);
}

// "address node conditions" lines.
SliceModels slices_of(
    const std::vector<std::array<std::string, 3>>& endpoints,
    const std::string& ports = R"([{"name":"http","protocol":"TCP","port":8080}])") {
  std::string list;
  for (const auto& [address, node, conditions] : endpoints)
    list += base::concat(list.empty() ? "" : ",", R"({"addresses":[")", address,
                         R"("],"nodeName":")", node, R"(","conditions":{)", conditions, "}}");
  auto model = read_slice(parse(
      R"({"metadata":{"name":"web-x","namespace":"default","labels":{"kubernetes.io/service-name":)"
      R"("web"}},"addressType":"IPv4","ports":)" +
      ports + R"(,"endpoints":[)" + list + "]}"));
  REQUIRE(model);
  CHECK(model->service_key == "default/web");
  return {{"default/web-x", std::move(*model)}};
}

std::vector<net::ServiceRule> plan(const ServiceModel& service, const SliceModels& slices,
                                   const std::set<std::string>& leaving = {}) {
  RulesInput input;
  input.node_name = "n1";
  input.cluster_dns = "10.43.0.10";
  input.leaving = &leaving;
  std::vector<net::ServiceRule> rules;
  plan_service_rules(input, service, &slices, &rules);
  return rules;
}

std::string addresses(const net::ServiceRule& rule) {
  std::string text;
  for (const auto& endpoint : rule.endpoints)
    text += base::concat(text.empty() ? "" : " ", endpoint.address, ":", int{endpoint.port});
  return text;
}

constexpr const char* kHttp =
    R"("clusterIP":"10.43.0.5","ports":[{"name":"http","port":80,"targetPort":"web"}])";

}  // namespace

TEST_CASE("a ClusterIP port goes to its ready endpoints at the slice's port") {
  auto rules = plan(service_of(base::concat("{", kHttp, "}")),
                    slices_of({{"10.42.0.3", "n1", R"("ready":true)"},
                               {"10.42.0.2", "n2", R"("ready":true)"},
                               {"10.42.0.4", "n2", R"("ready":false)"},
                               {"10.42.0.2", "n2", R"("ready":true)"}}));
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].name == "default/web:http");
  CHECK(rules[0].cluster_ip == "10.43.0.5");
  CHECK(rules[0].port == 80);
  CHECK(rules[0].node_port == 0);
  CHECK(rules[0].affinity_seconds == 0);
  CHECK(addresses(rules[0]) == "10.42.0.2:8080 10.42.0.3:8080");
}

TEST_CASE("without endpoints the rule stays, so that connections are refused") {
  RulesInput input;
  std::vector<net::ServiceRule> rules;
  plan_service_rules(input, service_of(base::concat("{", kHttp, "}")), nullptr, &rules);
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].endpoints.empty());
}

TEST_CASE("terminating endpoints that still serve are the last resort") {
  auto service = service_of(base::concat("{", kHttp, "}"));
  std::string going = R"("ready":false,"serving":true,"terminating":true)";
  std::string gone = R"("ready":false,"serving":false,"terminating":true)";
  auto rules = plan(service, slices_of({{"10.42.0.2", "n1", going}, {"10.42.0.3", "n1", gone}}));
  CHECK(addresses(rules[0]) == "10.42.0.2:8080");
  rules = plan(service, slices_of({{"10.42.0.2", "n1", going}, {"10.42.0.4", "n1", ""}}));
  CHECK(addresses(rules[0]) == "10.42.0.4:8080");
}

TEST_CASE("a pod that this node stops leaves the rules before the API server says so") {
  auto service = service_of(base::concat("{", kHttp, "}"));
  auto slices = slices_of({{"10.42.0.2", "n1", ""}, {"10.42.0.3", "n1", ""}});
  CHECK(addresses(plan(service, slices, {"10.42.0.2"})[0]) == "10.42.0.3:8080");
  CHECK(addresses(plan(service, slices, {"10.42.0.2", "10.42.0.3"})[0]) ==
        "10.42.0.2:8080 10.42.0.3:8080");
}

TEST_CASE("node ports and external addresses share the rule unless a policy is Local") {
  std::string more = R"(,"externalIPs":["192.0.2.7","bad"],"sessionAffinity":"ClientIP")";
  std::string spec = base::concat(R"({"type":"NodePort","clusterIP":"10.43.0.5",)"
                                  R"("ports":[{"name":"http","port":80,"nodePort":30080}])",
                                  more);
  auto slices = slices_of({{"10.42.0.2", "n1", ""}, {"10.42.1.2", "n2", ""}});
  auto rules = plan(service_of(spec + "}"), slices);
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].node_port == 30080);
  CHECK(rules[0].external_ips == std::vector<std::string>{"192.0.2.7"});
  CHECK(rules[0].affinity_seconds == 10800);
  CHECK_FALSE(rules[0].local_only);

  rules = plan(service_of(spec + R"(,"externalTrafficPolicy":"Local"})"), slices);
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].name != rules[1].name);
  CHECK(rules[0].cluster_ip.empty());
  CHECK(rules[0].node_port == 30080);
  CHECK(rules[0].local_only);
  CHECK(addresses(rules[0]) == "10.42.0.2:8080");
  CHECK(rules[1].cluster_ip == "10.43.0.5");
  CHECK(rules[1].node_port == 0);
  CHECK(addresses(rules[1]) == "10.42.0.2:8080 10.42.1.2:8080");

  rules = plan(service_of(spec + R"(,"internalTrafficPolicy":"Local"})"), slices);
  REQUIRE(rules.size() == 2);
  CHECK(addresses(rules[0]) == "10.42.0.2:8080 10.42.1.2:8080");
  CHECK_FALSE(rules[0].local_only);
  CHECK(addresses(rules[1]) == "10.42.0.2:8080");
}

TEST_CASE("several ports and protocols make a rule each; SCTP makes none") {
  auto service = service_of(
      R"({"clusterIP":"10.43.0.5","sessionAffinity":"ClientIP",)"
      R"("sessionAffinityConfig":{"clientIP":{"timeoutSeconds":60}},"ports":[)"
      R"({"name":"dns","protocol":"UDP","port":53},{"name":"dns-tcp","protocol":"TCP","port":53},)"
      R"({"name":"x","protocol":"SCTP","port":9}]})");
  auto rules = plan(service, slices_of({{"10.42.0.2", "n1", ""}},
                                       R"([{"name":"dns","protocol":"UDP","port":1053},)"
                                       R"({"name":"dns-tcp","protocol":"TCP","port":1054}])"));
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].protocol == net::Protocol::udp);
  CHECK(addresses(rules[0]) == "10.42.0.2:1053");
  CHECK(addresses(rules[1]) == "10.42.0.2:1054");
  CHECK(rules[1].affinity_seconds == 60);
}

TEST_CASE("what is not translated: headless, ExternalName, other proxies, the DNS itself, IPv6") {
  auto slices = slices_of({{"10.42.0.2", "n1", ""}});
  std::string ports = R"(,"ports":[{"name":"http","port":80}]})";
  CHECK(plan(service_of(R"({"clusterIP":"None")" + ports), slices).empty());
  CHECK(plan(service_of(R"({"type":"ExternalName","externalName":"a.b")" + ports), slices).empty());
  CHECK(plan(service_of(R"({"clusterIP":"10.43.0.10")" + ports), slices).empty());
  CHECK(plan(service_of(R"({"clusterIP":"fd00::5")" + ports), slices).empty());
  CHECK(plan(service_of(R"({"clusterIP":"10.43.0.5")" + ports,
                        R"(,"labels":{"service.kubernetes.io/service-proxy-name":"other"})"),
             slices)
            .empty());
}

TEST_CASE("objects of the wrong shape are left out and harm nothing") {
  CHECK_FALSE(read_service(parse(R"({"metadata":3,"spec":"x"})")));
  auto model = read_service(
      parse(R"({"metadata":{"name":"a"},"spec":{"clusterIP":7,"ports":[1,{"port":"x"},)"
            R"({"port":70000},{"port":-1}]}})"));
  REQUIRE(model);
  CHECK(model->ports.empty());
  CHECK_FALSE(read_slice(parse(R"({"addressType":"IPv6"})")));
  CHECK_FALSE(read_slice(parse(R"({"addressType":"IPv4"})")));
  auto slice = read_slice(
      parse(R"({"addressType":"IPv4","metadata":{"labels":{"kubernetes.io/service-name":"a"}},)"
            R"("endpoints":[{"addresses":["300.1.1.1"]},{"addresses":[]},7,{}]})"));
  REQUIRE(slice);
  CHECK(slice->endpoints.empty());
}

TEST_CASE("addresses and ranges") {
  CHECK(parse_ipv4("1.2.3.4") == 0x01020304u);
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1.2.3.+4", "a.b.c.d",
                          "1.2.3.0004", "1..2.3", " 1.2.3.4"})
    CHECK_FALSE(parse_ipv4(bad));
  CHECK(is_in_cidr(0x0a2b0005, "10.43.0.0/16"));
  CHECK_FALSE(is_in_cidr(0x0a2c0005, "10.43.0.0/16"));
  CHECK(is_in_cidr(0x0a2c0005, "0.0.0.0/0"));
  CHECK_FALSE(is_in_cidr(0x0a2c0005, "10.43.0.0"));
  CHECK_FALSE(is_in_cidr(0x0a2c0005, "10.43.0.0/33"));
}
