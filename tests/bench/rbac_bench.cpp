// What a decision costs with 10 to 10,000 bindings, and the first one after a change.
#include <skiff/auth/rbac.h>
#include <skiff/loop/loop.h>

#include <malloc.h>

#include <cstdio>
#include <vector>

#include "fake_roles.h"

using namespace skiff;

namespace {

constexpr int kRoles = 70;  // as many as the default ClusterRoles
constexpr int kDecisions = 200'000;
constexpr int kChanges = 50;

std::string role_rules() {
  std::string rules = "[";
  for (int i = 0; i < 8; ++i) {
    rules += R"({"verbs":["get","list","watch"],"apiGroups":["group)" + std::to_string(i) +
             R"(.example.com"],"resources":["things","things/status"]},)";
  }
  return rules + R"({"verbs":["get","list"],"apiGroups":[""],"resources":["pods","pods/log"]}])";
}

// Every binding in a namespace of its own, for a user and a group of many.
void fill(test::FakeRoles& roles, int bindings) {
  for (int i = 0; i < kRoles; ++i) roles.role("", "role-" + std::to_string(i), role_rules());
  for (int i = 0; i < bindings; ++i) {
    const std::string number = std::to_string(i);
    roles.bind("namespace-" + number, "binding", "ClusterRole",
               "role-" + std::to_string(i % kRoles),
               R"([{"kind":"User","name":"user-)" + number +
                   R"("},{"kind":"Group","name":"group-)" + std::to_string(i % 20) + "\"}]");
  }
}

double microseconds(base::MonotonicTime since) {
  return std::chrono::duration<double, std::micro>(loop::real_clock().monotonic() - since).count();
}

void measure(int bindings) {
  test::FakeRoles roles;
  fill(roles, bindings);
  auto rbac = auth::make_rbac(roles);
  const auth::User user{"user-7", {}, {"group-7", "group-8", "system:authenticated"}, {}};
  auth::Attributes a;
  a.user = &user;
  a.verb = "get";
  a.is_resource = true;
  a.resource = "pods";
  a.namespace_name = "namespace-7";
  a.name = "web-1";

  const auto memory = mallinfo2().uordblks;
  auto start = loop::real_clock().monotonic();
  bool allowed = rbac->authorize(a).verdict == auth::Decision::Verdict::allow;
  const double first = microseconds(start);
  const auto bytes = mallinfo2().uordblks - memory;

  start = loop::real_clock().monotonic();
  for (int i = 0; i < kDecisions; ++i) {
    allowed = rbac->authorize(a).verdict == auth::Decision::Verdict::allow && allowed;
  }
  const double allow = microseconds(start) / kDecisions;
  a.verb = "delete";
  start = loop::real_clock().monotonic();
  bool denied = true;
  for (int i = 0; i < kDecisions; ++i) {
    denied = rbac->authorize(a).verdict != auth::Decision::Verdict::allow && denied;
  }
  const double deny = microseconds(start) / kDecisions;
  start = loop::real_clock().monotonic();
  for (int i = 0; i < kChanges; ++i) {
    roles.bind("changing", "binding", "ClusterRole", "role-1", test::user_subject("someone"));
    rbac->authorize(a);
  }
  const double change = microseconds(start) / kChanges;
  std::printf(
      "%6d bindings: allow %.2f us, deny %.2f us, after a change %.0f us, first %.0f us, index "
      "%zu KB%s\n",
      bindings, allow, deny, change, first, bytes / 1024,
      allowed && denied ? "" : "  WRONG ANSWER");
}

}  // namespace

int main() {
  for (int bindings : {10, 100, 1000, 10'000}) measure(bindings);
}
