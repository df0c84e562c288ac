#include <skiff/auth/rbac.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <mutex>
#include <thread>

#include "allocations.h"
#include "fake_roles.h"

using namespace skiff;
using test::FakeRoles;
using test::group_subject;
using test::user_subject;
using Verdict = auth::Decision::Verdict;

namespace {

const auth::User kJane{"jane", {}, {"dev", "system:authenticated"}, {}};

// One question in short: "get pods/log a in n" or "get /path".
struct Question {
  const char* verb;
  const char* group;
  const char* resource;  // a path begins with '/'
  const char* subresource;
  const char* namespace_name;
  const char* name;
};

auth::Attributes attributes(const auth::User& user, const Question& q) {
  auth::Attributes a;
  a.user = &user;
  a.verb = q.verb;
  a.is_resource = q.resource[0] != '/';
  (a.is_resource ? a.resource : a.path) = q.resource;
  a.group = q.group;
  a.subresource = q.subresource;
  a.namespace_name = q.namespace_name;
  a.name = q.name;
  return a;
}

bool allowed(const auth::Rbac& rbac, const Question& q, const auth::User& user = kJane) {
  return rbac.authorize(attributes(user, q)).verdict == Verdict::allow;
}

}  // namespace

TEST_CASE("a rule matches by verb, group, resource, subresource, name and path") {
  struct Row {
    const char* rule;
    Question question;
    bool expected;
  };
  const Row rows[] = {
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {"get", "", "pods", "", "n", "a"},
       true},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {"list", "", "pods", "", "n", ""},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {"get", "apps", "pods", "", "n", "a"},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {"get", "", "pods", "log", "n", "a"},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/log"]})",
       {"get", "", "pods", "log", "n", "a"},
       true},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/log"]})",
       {"get", "", "pods", "", "n", "a"},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["*/log"]})",
       {"get", "", "pods", "log", "n", "a"},
       true},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["*/log"]})",
       {"get", "", "pods", "log2", "n", "a"},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["*/log"]})",
       {"get", "", "pods", "", "n", "a"},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/*"]})",
       {"get", "", "pods", "log", "n", "a"},
       false},
      {R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})",
       {"sing", "any.io", "songs", "loud", "", "a"},
       true},
      {R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})",
       {"get", "", "/metrics", "", "", ""},
       false},
      {R"({"verbs":["sing"],"apiGroups":[""],"resources":["songs"]})",
       {"sing", "", "songs", "", "", ""},
       true},
      {R"({"verbs":["sing"],"apiGroups":[""],"resources":["songs"]})",
       {"hum", "", "songs", "", "", ""},
       false},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"],"resourceNames":["a","b"]})",
       {"get", "", "pods", "", "n", "b"},
       true},
      {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"],"resourceNames":["a"]})",
       {"get", "", "pods", "", "n", "c"},
       false},
      {R"({"verbs":["list"],"apiGroups":[""],"resources":["pods"],"resourceNames":["a"]})",
       {"list", "", "pods", "", "n", ""},
       false},
      {R"({"verbs":["get"],"nonResourceURLs":["/healthz"]})",
       {"get", "", "/healthz", "", "", ""},
       true},
      {R"({"verbs":["get"],"nonResourceURLs":["/healthz"]})",
       {"get", "", "/healthz/a", "", "", ""},
       false},
      {R"({"verbs":["get"],"nonResourceURLs":["/healthz/*"]})",
       {"get", "", "/healthz/a/b", "", "", ""},
       true},
      {R"({"verbs":["get"],"nonResourceURLs":["/healthz/*"]})",
       {"get", "", "/healthz", "", "", ""},
       false},
      {R"({"verbs":["get"],"nonResourceURLs":["/health*"]})",
       {"get", "", "/healthz", "", "", ""},
       true},
      {R"({"verbs":["get"],"nonResourceURLs":["*"]})", {"get", "", "/any", "", "", ""}, true},
      {R"({"verbs":["get"],"nonResourceURLs":["*"]})", {"post", "", "/any", "", "", ""}, false},
      {R"({"verbs":["get"],"nonResourceURLs":["*"]})", {"get", "", "pods", "", "", ""}, false},
      {R"({"verbs":[],"apiGroups":["*"],"resources":["*"]})",
       {"get", "", "pods", "", "", ""},
       false},
  };
  for (const auto& row : rows) {
    FakeRoles roles;
    roles.role("", "r", std::string("[") + row.rule + "]");
    roles.bind("", "b", "ClusterRole", "r", user_subject("jane"));
    auto rbac = auth::make_rbac(roles);
    INFO(row.rule << " " << row.question.verb << " " << row.question.resource << "/"
                  << row.question.subresource);
    CHECK(allowed(*rbac, row.question) == row.expected);
  }
}

TEST_CASE("bindings hold for users, groups and accounts, where they are") {
  const std::string rules = R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])";
  FakeRoles roles;
  roles.role("", "wide", rules);
  roles.role("n", "narrow", rules);
  auto rbac = auth::make_rbac(roles);
  const Question in_n{"get", "", "pods", "", "n", "a"}, in_m{"get", "", "pods", "", "m", "a"},
      nowhere{"get", "", "pods", "", "", "a"};
  const auth::User robot{"system:serviceaccount:n:robot", {}, {}, {}};
  CHECK_FALSE(allowed(*rbac, in_n));
  SECTION("a group, cluster-wide") {
    roles.bind("", "b", "ClusterRole", "wide", group_subject("dev"));
    CHECK(allowed(*rbac, in_n));
    CHECK(allowed(*rbac, nowhere));
    CHECK_FALSE(allowed(*rbac, in_n, {"dev", {}, {}, {}}));
  }
  SECTION("a ClusterRole in one namespace") {
    roles.bind("n", "b", "ClusterRole", "wide", user_subject("jane"));
    CHECK(allowed(*rbac, in_n));
    CHECK_FALSE(allowed(*rbac, in_m));
    CHECK_FALSE(allowed(*rbac, nowhere));
    CHECK_FALSE(allowed(*rbac, in_n, {"joe", {}, {"jane"}, {}}));
  }
  SECTION("a Role is of its namespace") {
    roles.bind("n", "b", "Role", "narrow", user_subject("jane"));
    roles.bind("m", "b", "Role", "narrow", user_subject("jane"));
    CHECK(allowed(*rbac, in_n));
    auto denied = rbac->authorize(attributes(kJane, in_m));
    CHECK(denied.verdict == Verdict::no_opinion);
    CHECK(denied.reason == "RBAC: role.rbac.authorization.k8s.io \"narrow\" not found");
  }
  SECTION("an account, with and without its namespace") {
    roles.bind("n", "b", "Role", "narrow", R"([{"kind":"ServiceAccount","name":"robot"}])");
    CHECK(allowed(*rbac, in_n, robot));
    roles.bind("m", "b", "ClusterRole", "wide",
               R"([{"kind":"ServiceAccount","name":"robot","namespace":"n"}])");
    CHECK(allowed(*rbac, in_m, robot));
    roles.bind("m", "b", "ClusterRole", "wide", R"([{"kind":"ServiceAccount","name":"robot"}])");
    CHECK_FALSE(allowed(*rbac, in_m, robot));
  }
}

TEST_CASE("a decision tells which binding allows, and which roles are missing") {
  FakeRoles roles;
  roles.role("", "view", R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])");
  roles.bind("n", "viewers", "ClusterRole", "view",
             R"([{"kind":"ServiceAccount","name":"robot","namespace":"x"}])");
  auto rbac = auth::make_rbac(roles);
  const auth::User robot{"system:serviceaccount:x:robot", {}, {"dev"}, {}};
  auto asked = attributes(robot, {"get", "", "pods", "", "n", "a"});
  CHECK(rbac->authorize(asked).reason.empty());
  asked.wants_reason = true;
  CHECK(rbac->authorize(asked).reason ==
        "RBAC: allowed by RoleBinding \"viewers/n\" of ClusterRole \"view\" to ServiceAccount "
        "\"robot/x\"");
  roles.bind("", "b1", "ClusterRole", "gone", group_subject("dev"));
  roles.bind("", "b2", "ClusterRole", "lost", group_subject("dev"));
  roles.bind("", "b3", "ClusterRole", "lost", user_subject(robot.name));
  CHECK(rbac->authorize(asked).verdict == Verdict::allow);
  asked.verb = "delete";
  auto denied = rbac->authorize(asked);
  CHECK(denied.verdict == Verdict::no_opinion);
  CHECK(denied.reason ==
        "RBAC: [clusterrole.rbac.authorization.k8s.io \"lost\" not found, "
        "clusterrole.rbac.authorization.k8s.io \"gone\" not found]");
}

TEST_CASE("a change is seen by the next decision, and only then is anything read") {
  FakeRoles roles;
  roles.role("", "r", R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])");
  auto rbac = auth::make_rbac(roles);
  const Question get{"get", "", "pods", "", "n", "a"}, list{"list", "", "pods", "", "n", ""};
  CHECK_FALSE(allowed(*rbac, get));
  const int scans = roles.scans;
  CHECK_FALSE(allowed(*rbac, get));
  CHECK(roles.scans == scans);
  roles.bind("", "b", "ClusterRole", "r", user_subject("jane"));
  CHECK(allowed(*rbac, get));
  roles.role("", "r", R"([{"verbs":["list"],"apiGroups":[""],"resources":["pods"]}])");
  CHECK_FALSE(allowed(*rbac, get));
  CHECK(allowed(*rbac, list));
  roles.remove(auth::RoleSource::Kind::cluster_role, "r");
  CHECK_FALSE(allowed(*rbac, list));
  roles.role("", "r", R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])");
  CHECK(allowed(*rbac, get));
  roles.remove(auth::RoleSource::Kind::cluster_role_binding, "b");
  CHECK_FALSE(allowed(*rbac, get));
}

namespace {

// For an authorizer whose nodes are not asked about.
class NoPods final : public auth::PodSource {
 public:
  std::uint64_t version() const override { return 0; }
  std::uint64_t scan(Visit) const override { return 0; }
  std::optional<std::uint64_t> changes(std::uint64_t, Visit) const override { return 0; }
};

}  // namespace

TEST_CASE("with a thousand bindings a decision allocates nothing") {
  FakeRoles roles;
  roles.role("", "r", R"([{"verbs":["get","list"],"apiGroups":["apps"],"resources":["pods"]},
                          {"verbs":["get"],"apiGroups":[""],"resources":["pods/log","pods"]}])");
  for (int i = 0; i < 1000; ++i) {
    roles.bind("n" + std::to_string(i), "b", "ClusterRole", "r",
               i % 2 == 0 ? user_subject("user-" + std::to_string(i)) : group_subject("dev"));
  }
  auto rbac = auth::make_rbac(roles);
  const NoPods pods;
  auto chain = auth::make_authorizer(pods, *rbac);
  const Question yes{"get", "", "pods", "log", "n501", "a"}, no{"get", "", "pods", "", "n500", "a"};
  CHECK(allowed(*rbac, yes));
  const auto asked = attributes(kJane, yes);
  const auto denied = attributes(kJane, no);
  const auto before = test::allocations();
  const bool first = chain->authorize(asked).verdict == Verdict::allow;
  const bool second = chain->authorize(denied).verdict == Verdict::allow;
  const auto after = test::allocations();
  CHECK(first);
  CHECK_FALSE(second);
  CHECK(after == before);
}

TEST_CASE("rules of a user are listed once a binding") {
  FakeRoles roles;
  roles.role("", "a", R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])");
  roles.role("n", "b", R"([{"verbs":["get"],"nonResourceURLs":["/x"]}])");
  roles.bind("", "both", "ClusterRole", "a",
             R"([{"kind":"User","name":"jane"},{"kind":"Group","name":"dev"}])");
  roles.bind("n", "b", "Role", "b", group_subject("dev"));
  roles.bind("n", "c", "Role", "gone", group_subject("dev"));
  auto rbac = auth::make_rbac(roles);
  auto held = rbac->rules_for(kJane, "n");
  REQUIRE(held.rules.size() == 2);
  CHECK(held.rules[0].resources == auth::PolicyRule::Words{"pods"});
  CHECK(held.rules[1].non_resource_urls == auth::PolicyRule::Words{"/x"});
  CHECK(held.errors ==
        std::vector<std::string>{"role.rbac.authorization.k8s.io \"gone\" not found"});
  CHECK(rbac->rules_for(kJane, "").rules.size() == 1);
  CHECK(rbac->role_rules("Role", "b", "n")->rules.size() == 1);
  CHECK_FALSE(rbac->role_rules("Role", "b", "m").has_value());
  CHECK_FALSE(rbac->role_rules("Role", "b", "").has_value());
}

namespace {

// FakeRoles for several threads.
class SharedRoles final : public auth::RoleSource {
 public:
  void set_bound(bool bound) {
    std::lock_guard lock(mutex_);
    if (bound) {
      roles_.bind("", "b", "ClusterRole", "r", user_subject("jane"));
    } else {
      roles_.remove(Kind::cluster_role_binding, "b");
    }
  }
  void add_role(const std::string& name, const std::string& rules) {
    std::lock_guard lock(mutex_);
    roles_.role("", name, rules);
  }
  std::uint64_t version() const override {
    std::lock_guard lock(mutex_);
    return roles_.version();
  }
  void scan(Visit visit) const override {
    std::lock_guard lock(mutex_);
    roles_.scan(std::move(visit));
  }

 private:
  mutable std::mutex mutex_;
  FakeRoles roles_;
};

}  // namespace

TEST_CASE("a writer sees its change at once, whatever other threads ask") {
  SharedRoles roles;
  roles.add_role("r", R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])");
  auto rbac = auth::make_rbac(roles);
  const Question get{"get", "", "pods", "", "n", "a"};
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) rbac->authorize(attributes(kJane, get));
    });
  }
  bool right = true;
  for (int i = 0; i < 300; ++i) {
    roles.set_bound(true);
    right = right && allowed(*rbac, get);
    roles.set_bound(false);
    right = right && !allowed(*rbac, get);
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(right);
}

TEST_CASE("masters may do everything and health is for everybody, whatever the roles are") {
  FakeRoles roles;
  auto rbac = auth::make_rbac(roles);
  const NoPods pods;
  auto chain = auth::make_authorizer(pods, *rbac);
  auto may = [&](const auth::User& user, const Question& q) {
    return chain->authorize(attributes(user, q)).verdict == Verdict::allow;
  };
  const auth::User master{"m", {}, {"system:masters"}, {}};
  const auth::User nobody{"system:anonymous", {}, {"system:unauthenticated"}, {}};
  CHECK(may(master, {"delete", "", "nodes", "", "", "a"}));
  CHECK(may(master, {"get", "", "/any", "", "", ""}));
  for (const char* path : {"/healthz", "/readyz", "/livez"}) {
    CHECK(may(nobody, {"get", "", path, "", "", ""}));
  }
  for (const char* path : {"/readyz/ping", "/version", "/api", "/metrics"}) {
    CHECK_FALSE(may(nobody, {"get", "", path, "", "", ""}));
  }
}
