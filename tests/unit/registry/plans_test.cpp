#include <catch2/catch.hpp>

#include "registry/allocators/ip_allocator.h"
#include "registry/durability.h"
#include "registry/plan_delete.h"
#include "registry/plan_update.h"

using namespace skiff;
using codec::Json;
using registry::DeletePlan;

namespace {

Json parse(std::string_view text) {
  auto tree = codec::parse_json(text);
  REQUIRE(tree.is_ok());
  return std::move(*tree);
}

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'700'000'000);

}  // namespace

TEST_CASE("an update keeps system metadata and counts the generation") {
  registry::UpdateRules rules{.has_status = true, .tracks_generation = true};
  const Json live = parse(R"({"metadata":{"name":"a","uid":"u","generation":3,
    "creationTimestamp":"t"},"spec":{"x":1},"status":{"y":1}})");
  Json same = parse(R"({"metadata":{"name":"a","generation":9},"spec":{"x":1},"status":{"y":2}})");
  registry::plan_update(rules, "", same, live);
  CHECK(same == live);
  Json changed = parse(R"({"metadata":{"name":"a"},"spec":{"x":2}})");
  registry::plan_update(rules, "", changed, live);
  CHECK(changed["metadata"]["generation"].as_int() == 4);
  CHECK(changed["status"] == live["status"]);
  Json status =
      parse(R"({"metadata":{"name":"a","ownerReferences":[1]},"spec":{"x":7},"status":{}})");
  registry::plan_update(rules, "status", status, live);
  CHECK(status["spec"] == live["spec"]);
  CHECK(status["metadata"]["generation"].as_int() == 3);
  CHECK_FALSE(status["metadata"].contains("ownerReferences"));
}

TEST_CASE("a write that changes nothing but its version and times of managers is none") {
  const Json live = parse(R"({"kind":"A","metadata":{"name":"a","resourceVersion":"1",
    "managedFields":[{"manager":"m","time":"t1","fieldsV1":{"f:x":{}}}]},"spec":{"x":1}})");
  auto same = [&](std::string_view text) { return registry::same_content(parse(text), live); };
  CHECK(same(R"({"metadata":{"managedFields":[{"fieldsV1":{"f:x":{}},"manager":"m"}],"name":"a"},
    "spec":{"x":1},"kind":"A"})"));
  CHECK_FALSE(same(R"({"kind":"A","metadata":{"name":"a","managedFields":[{"manager":"m",
    "fieldsV1":{"f:y":{}}}]},"spec":{"x":1}})"));
  CHECK_FALSE(same(R"({"kind":"A","metadata":{"name":"a","managedFields":[]},"spec":{"x":1}})"));
  CHECK_FALSE(same(R"({"kind":"A","metadata":{"name":"a"},"spec":{"x":1}})"));
  const std::string fields = R"("managedFields":[{"manager":"m","fieldsV1":{"f:x":{}}}])";
  auto with = [&](std::string_view metadata, std::string_view rest) {
    return same("{\"metadata\":{" + fields + std::string(metadata) + "}" + std::string(rest) + "}");
  };
  CHECK(with(R"(,"name":"a","resourceVersion":"2")", R"(,"kind":"A","spec":{"x":1})"));
  CHECK_FALSE(with(R"(,"name":"b")", R"(,"kind":"A","spec":{"x":1})"));
  CHECK_FALSE(with(R"(,"name":"a","labels":{})", R"(,"kind":"A","spec":{"x":1})"));
  CHECK_FALSE(with(R"(,"name":"a")", R"(,"kind":"A","spec":{"x":2})"));
  CHECK_FALSE(with(R"(,"name":"a")", R"(,"kind":"A","spec":{"x":1},"status":{})"));
  CHECK_FALSE(with(R"(,"name":"a")", R"(,"kind":"A")"));
}

TEST_CASE("new finalizers on a dying object are named") {
  const Json live = parse(R"({"metadata":{"deletionTimestamp":"t","finalizers":["a"]}})");
  const Json more = parse(R"({"metadata":{"finalizers":["a","b","c"]}})");
  CHECK(registry::forbidden_new_finalizers(more, live) == "\"b\", \"c\"");
  CHECK(registry::forbidden_new_finalizers(live, live).empty());
  CHECK(registry::forbidden_new_finalizers(more, parse(R"({"metadata":{}})")).empty());
}

TEST_CASE("a delete ends, marks or leaves an object") {
  registry::DeleteOptions options;
  const Json plain = parse(R"({"metadata":{"name":"a"}})");
  auto plan = registry::plan_delete(plain, options, nullptr, false, kNow);
  CHECK(plan.action == DeletePlan::Action::remove);

  const Json held = parse(R"({"metadata":{"name":"a","finalizers":["x"]}})");
  plan = registry::plan_delete(held, options, nullptr, false, kNow);
  REQUIRE(plan.action == DeletePlan::Action::update);
  CHECK(plan.object["metadata"]["deletionTimestamp"].as_string() == "2023-11-14T22:13:20Z");
  const Json marked = plan.object;
  plan = registry::plan_delete(marked, options, nullptr, false, kNow);
  CHECK(plan.action == DeletePlan::Action::nothing);

  options.propagation_policy = "Foreground";
  plan = registry::plan_delete(plain, options, nullptr, false, kNow);
  REQUIRE(plan.action == DeletePlan::Action::update);
  CHECK(plan.object["metadata"]["finalizers"].items()[0].as_string() == "foregroundDeletion");
  options.propagation_policy = "Background";
  plan = registry::plan_delete(plan.object, options, nullptr, false, kNow);
  CHECK(plan.action == DeletePlan::Action::remove);
}

TEST_CASE("grace of pods: the node ends it, a shorter one wins, zero is at once") {
  const Json pod = parse(R"({"metadata":{"name":"p"},"spec":{"nodeName":"n",
    "terminationGracePeriodSeconds":30},"status":{"phase":"Running"}})");
  registry::DeleteOptions options;
  auto grace = registry::pod_grace_period;
  auto plan = registry::plan_delete(pod, options, grace, false, kNow);
  REQUIRE(plan.action == DeletePlan::Action::update);
  CHECK(plan.object["metadata"]["deletionGracePeriodSeconds"].as_int() == 30);
  const Json dying = plan.object;
  CHECK(registry::plan_delete(dying, options, grace, false, kNow).action ==
        DeletePlan::Action::nothing);
  options.grace_period_seconds = 5;
  plan = registry::plan_delete(dying, options, grace, false, kNow);
  CHECK(plan.object["metadata"]["deletionGracePeriodSeconds"].as_int() == 5);
  options.grace_period_seconds = 60;
  CHECK(registry::plan_delete(dying, options, grace, false, kNow).action ==
        DeletePlan::Action::nothing);
  options.grace_period_seconds = 0;
  CHECK(registry::plan_delete(dying, options, grace, false, kNow).action ==
        DeletePlan::Action::remove);
  CHECK(registry::pod_grace_period(parse(R"({"spec":{}})"), std::nullopt) == 0);
}

TEST_CASE("the address allocator hands out every address once, then says it is full") {
  auto random = base::seeded_random(1);
  auto made = registry::IpAllocator::make("192.0.2.0/28", *random);
  REQUIRE(made.is_ok());
  auto& ips = **made;
  std::set<std::string> seen;
  for (int i = 0; i < 14; ++i) {
    auto address = ips.reserve_next();
    REQUIRE(address.is_ok());
    CHECK(seen.insert(*address).second);
  }
  CHECK(ips.reserve_next().code() == base::Code::unavailable);
  CHECK(ips.reserve("192.0.2.1").code() == base::Code::already_exists);
  ips.release("192.0.2.1");
  CHECK(ips.reserve("192.0.2.1").is_ok());
  for (const char* bad : {"192.0.2.0", "192.0.2.15", "192.0.3.1", "x", "1.2.3", "1.2.3.04", ""}) {
    CHECK(ips.reserve(bad).code() == base::Code::invalid_argument);
  }
  CHECK_FALSE(registry::IpAllocator::make("192.0.2.0/31", *random).is_ok());
  CHECK_FALSE(registry::IpAllocator::make("10.0.0.0", *random).is_ok());
}

TEST_CASE("only what its owner can compute again is not durable") {
  const auto* pods = api::find_resource("", "v1", "pods");
  const auto* leases = api::find_resource("coordination.k8s.io", "v1", "leases");
  const Json running = parse(R"({"metadata":{},"status":{"phase":"Running"}})");
  const Json failed = parse(R"({"metadata":{},"status":{"phase":"Failed"}})");
  using store::Durability;
  CHECK(registry::durability_of_put(*pods, "status", running, running) == Durability::relaxed);
  CHECK(registry::durability_of_put(*pods, "status", failed, running) == Durability::durable);
  CHECK(registry::durability_of_put(*pods, "", running, running) == Durability::durable);
  const Json lease = parse(R"({"metadata":{},"spec":{"holderIdentity":"a","renewTime":"1"}})");
  const Json renewed = parse(R"({"metadata":{},"spec":{"holderIdentity":"a","renewTime":"2"}})");
  const Json stolen = parse(R"({"metadata":{},"spec":{"holderIdentity":"b","renewTime":"2"}})");
  CHECK(registry::durability_of_put(*leases, "", renewed, lease) == Durability::volatile_);
  CHECK(registry::durability_of_put(*leases, "", stolen, lease) == Durability::durable);
  CHECK(registry::durability_of_put(*leases, "", lease, Json()) == Durability::durable);
}
