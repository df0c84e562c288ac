// What a decision about a node costs with 200 nodes of 20 pods each, after nothing and after a
// change, and what the graph keeps of a pod.
#include <skiff/loop/loop.h>

#include <malloc.h>

#include <cstdio>

#include "auth/node/node_authorizer.h"
#include "fake_pods.h"

using namespace skiff;

namespace {

constexpr int kNodes = 200;
constexpr int kPodsOfNode = 20;
constexpr int kNamespaces = 40;
constexpr int kDecisions = 200'000;
constexpr int kChanges = 2000;

std::string text(const char* prefix, int number) { return prefix + std::to_string(number); }

std::string pod_key(int pod) {
  return text("namespace-", pod % kNamespaces) + "/" + text("web-7d4b9c6f58-", pod);
}

// As a Deployment's pod: an account, the cluster's CA, a Secret of its own.
std::string pod_spec(int pod) {
  return R"("serviceAccountName":"default","containers":[{"name":"web","image":"example.com/web:1",
    "env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":")" +
         text("secret-", pod) +
         R"(","key":"k"}}}]}],"volumes":[{"name":"kube-api-access","projected":
    {"sources":[{"serviceAccountToken":{"path":"token"}},{"configMap":{"name":"kube-root-ca.crt"}}]}}])";
}

double microseconds(base::MonotonicTime since) {
  return std::chrono::duration<double, std::micro>(loop::real_clock().monotonic() - since).count();
}

double measure(const auth::NodeAuthorizer& authorizer, const auth::Attributes& a, bool expected) {
  bool right = true;
  const auto start = loop::real_clock().monotonic();
  for (int i = 0; i < kDecisions; ++i) {
    const bool allowed = authorizer.authorize(a).verdict == auth::Decision::Verdict::allow;
    right = right && allowed == expected;
  }
  const double each = microseconds(start) / kDecisions;
  if (!right) std::printf("WRONG ANSWER\n");
  return each;
}

}  // namespace

int main() {
  test::FakePods pods;
  for (int pod = 0; pod < kNodes * kPodsOfNode; ++pod) {
    pods.put(pod_key(pod), text("node-", pod % kNodes), pod_spec(pod), text("uid-", pod));
  }
  const auth::NodeAuthorizer authorizer(pods);
  const auth::User user = auth::node_user("node-7");
  auth::Attributes a;
  a.user = &user;
  a.verb = "get";
  a.is_resource = true;
  a.resource = "secrets";
  a.namespace_name = "namespace-7";
  a.name = "secret-7";

  const auto memory = mallinfo2().uordblks;
  auto start = loop::real_clock().monotonic();
  authorizer.authorize(a);
  const double first = microseconds(start);
  const auto bytes = mallinfo2().uordblks - memory;
  const double own = measure(authorizer, a, true);
  a.name = "secret-8";
  const double foreign = measure(authorizer, a, false);
  a.resource = "configmaps";
  a.name = "kube-root-ca.crt";
  const double shared = measure(authorizer, a, true);

  for (int i = 0; i < kChanges; ++i) {
    pods.put(pod_key(i), text("node-", i % kNodes), pod_spec(i), text("uid-", i));
  }
  start = loop::real_clock().monotonic();
  authorizer.authorize(a);
  const double known = microseconds(start) / kChanges;
  for (int i = 0; i < kChanges; ++i) {
    pods.put(pod_key(i), text("node-", i % kNodes), pod_spec(i), text("new-uid-", i));
  }
  start = loop::real_clock().monotonic();
  authorizer.authorize(a);
  const double fresh = microseconds(start) / kChanges;
  std::printf(
      "%d nodes, %d pods: own secret %.2f us, foreign secret %.2f us, config map of all %.2f us, "
      "status of a pod %.2f us, new pod %.1f us, first decision %.0f us, %zu bytes a pod\n",
      kNodes, kNodes * kPodsOfNode, own, foreign, shared, known, fresh, first,
      bytes / (kNodes * kPodsOfNode));
}
