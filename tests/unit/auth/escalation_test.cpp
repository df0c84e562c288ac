#include <skiff/auth/rbac.h>

#include <catch2/catch.hpp>

using namespace skiff;
using auth::PolicyRule;
using auth::PolicyRules;

namespace {

PolicyRule rule(PolicyRule::Words groups, PolicyRule::Words resources, PolicyRule::Words verbs,
                PolicyRule::Words names = {}) {
  return {std::move(verbs), std::move(groups), std::move(resources), std::move(names), {}};
}
PolicyRule url(PolicyRule::Words urls, PolicyRule::Words verbs) {
  return {std::move(verbs), {}, {}, {}, std::move(urls)};
}

}  // namespace

TEST_CASE("what somebody holds covers what they give, or does not") {
  struct Row {
    const char* what;
    PolicyRules held, wanted;
    std::size_t missing;
  };
  const PolicyRule all = rule({"*"}, {"*"}, {"*"});
  const Row rows[] = {
      {"the same", {rule({""}, {"pods"}, {"get"})}, {rule({""}, {"pods"}, {"get"})}, 0},
      {"nothing held", {}, {rule({""}, {"pods", "nodes"}, {"get", "list"})}, 4},
      {"parts of several rules",
       {rule({""}, {"pods"}, {"get"}), rule({""}, {"pods"}, {"list"})},
       {rule({""}, {"pods"}, {"get", "list"})},
       0},
      {"everything", {all}, {rule({"a"}, {"b/c"}, {"d"}, {"e"})}, 0},
      {"everything but paths", {all}, {url({"/x"}, {"get"})}, 1},
      {"a star is more than its parts",
       {rule({""}, {"pods"}, {"get"})},
       {rule({"*"}, {"*"}, {"*"})},
       1},
      {"one name of any",
       {rule({""}, {"pods"}, {"get"})},
       {rule({""}, {"pods"}, {"get"}, {"a"})},
       0},
      {"any of one name",
       {rule({""}, {"pods"}, {"get"}, {"a"})},
       {rule({""}, {"pods"}, {"get"})},
       1},
      {"another name",
       {rule({""}, {"pods"}, {"get"}, {"a"})},
       {rule({""}, {"pods"}, {"get"}, {"a", "b"})},
       1},
      {"any parent of a subresource",
       {rule({""}, {"*/scale"}, {"get"})},
       {rule({""}, {"pods/scale"}, {"get"})},
       0},
      {"not the parent itself",
       {rule({""}, {"*/scale"}, {"get"})},
       {rule({""}, {"pods"}, {"get"})},
       1},
      {"paths below", {url({"/a/*"}, {"get"})}, {url({"/a/b", "/a/*"}, {"get"})}, 0},
      {"paths beside", {url({"/a/*"}, {"get"})}, {url({"/a", "/b"}, {"get"})}, 2},
      {"all paths", {url({"*"}, {"*"})}, {url({"/a"}, {"put"})}, 0},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    CHECK(auth::missing_rules(row.held, row.wanted).size() == row.missing);
  }
}

TEST_CASE("an escalation is refused in upstream's words") {
  const auth::User jane{"jane", {}, {"dev", "system:authenticated"}, {}};
  auth::ResolvedRules held;
  held.rules = {rule({""}, {"pods"}, {"get"})};
  CHECK_FALSE(auth::escalation_detail(jane, held, {rule({""}, {"pods"}, {"get"})}).has_value());
  auto detail = auth::escalation_detail(
      jane, held,
      {rule({""}, {"pods"}, {"get", "list", "watch"}), url({"/metrics"}, {"get"}),
       rule({"apps"}, {"deployments"}, {"update"}, {"web"})});
  REQUIRE(detail.has_value());
  CHECK(*detail ==
        "user \"jane\" (groups=[\"dev\" \"system:authenticated\"]) is attempting to grant RBAC "
        "permissions not currently held:\n"
        "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\" \"watch\"]}\n"
        "{APIGroups:[\"apps\"], Resources:[\"deployments\"], ResourceNames:[\"web\"], "
        "Verbs:[\"update\"]}\n"
        "{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}");
  held.errors = {"role.rbac.authorization.k8s.io \"x\" not found"};
  detail = auth::escalation_detail(jane, held, {rule({""}, {"nodes"}, {"get"})});
  REQUIRE(detail.has_value());
  CHECK(*detail ==
        "user \"jane\" (groups=[\"dev\" \"system:authenticated\"]) is attempting to grant RBAC "
        "permissions not currently held:\n"
        "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}; resolution errors: "
        "[role.rbac.authorization.k8s.io \"x\" not found]");
}

TEST_CASE("a role that multiplies without end is refused, not computed") {
  std::vector<std::string> words;
  for (int i = 0; i < 2000; ++i) words.push_back("w" + std::to_string(i));
  PolicyRule::Words views(words.begin(), words.end());
  const PolicyRule huge = rule(views, views, views, views);
  auto missing = auth::missing_rules({rule({"*"}, {"*"}, {"*"})}, {huge});
  CHECK(missing.size() == 1);
  CHECK(auth::missing_rules({}, {huge}).size() <= 1000);
}
