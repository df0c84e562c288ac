#include "net/address_pool.h"
#include "net/rule_plan.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace skiff::net;

TEST_CASE("addresses go around, so that a freed one is reused as late as possible") {
  auto network = parse_ipv4_network("10.42.3.0/29");
  REQUIRE(network);
  std::map<std::uint32_t, std::string> taken;
  std::uint32_t last = 0;
  std::vector<std::string> given;
  for (int i = 0; i < 5; ++i) {
    last = plan_next_address(*network, last, taken);
    taken.emplace(last, "x");
    given.push_back(format_ipv4(last));
  }
  CHECK(given ==
        std::vector<std::string>{"10.42.3.2", "10.42.3.3", "10.42.3.4", "10.42.3.5", "10.42.3.6"});
  CHECK(plan_next_address(*network, last, taken) == 0);
  taken.erase(taken.begin());
  CHECK(format_ipv4(plan_next_address(*network, last, taken)) == "10.42.3.2");
}

TEST_CASE("a pool remembers its pods and tells when it is empty") {
  std::string folder = std::filesystem::temp_directory_path() / "skiff-address-pool-test";
  std::filesystem::remove_all(folder);
  auto network = *parse_ipv4_network("10.42.3.0/30");
  {
    auto pool = AddressPool::open(folder, network);
    REQUIRE(pool);
    CHECK(pool->acquire("a", "if-a")->ipv4 == "10.42.3.2");
    CHECK(pool->acquire("a", "if-a")->ipv4 == "10.42.3.2");
    CHECK(pool->acquire("b", "if-b").code() == skiff::base::Code::unavailable);
  }
  auto pool = AddressPool::open(folder, network);
  REQUIRE(pool);
  CHECK(pool->allocations().at("a").interface_name == "if-a");
  CHECK(pool->release("a").is_ok());
  CHECK(pool->release("a").is_ok());
  CHECK(pool->acquire("b", "if-b").is_ok());
  std::filesystem::remove_all(folder);
}

TEST_CASE("networks that are none are refused") {
  for (auto text : {"", "10.0.0.0", "10.0.0.0/31", "10.0.0.0/7", "10.0.0/24", "x/24"})
    CHECK_FALSE(parse_ipv4_network(text).is_ok());
}

TEST_CASE("only services that differ change, and lost UDP endpoints are named") {
  ServiceRule same{
      .name = "a", .cluster_ip = "10.43.0.1", .port = 80, .endpoints = {{"10.42.0.2", 80}}};
  ServiceRule before{.name = "b",
                     .protocol = Protocol::udp,
                     .cluster_ip = "10.43.0.2",
                     .port = 53,
                     .endpoints = {{"10.42.0.3", 53}, {"10.42.0.4", 53}}};
  ServiceRule after = before;
  after.endpoints.pop_back();
  ServiceRule gone = before;
  gone.name = "c";
  ServiceRule fresh = same;
  fresh.name = "d";
  std::vector<ServiceRule> old_rules{same, before, gone}, new_rules{same, after, fresh};
  RuleChanges changes = plan_rule_changes(old_rules, new_rules);
  REQUIRE(changes.removed.size() == 2);
  CHECK(changes.removed[0].rule->name == "b");
  CHECK(changes.removed[0].successor == &new_rules[1]);
  CHECK(changes.removed[1].rule->name == "c");
  CHECK(changes.removed[1].successor == nullptr);
  REQUIRE(changes.added.size() == 2);
  CHECK(changes.added[1]->name == "d");
  CHECK(changes.lost_udp_endpoints ==
        std::vector<RuleEndpoint>{{"10.42.0.4", 53}, {"10.42.0.3", 53}, {"10.42.0.4", 53}});
}
