#include <catch2/catch.hpp>

#include "allocations.h"
#include "auth/node/node_authorizer.h"
#include "auth/node/node_graph.h"
#include "fake_pods.h"

using namespace skiff;
using api::PodReference;
using test::FakePods;
using test::secret_volume;
using Verdict = auth::Decision::Verdict;

namespace {

// "get pods/status a in n", with a field selector.
struct Question {
  const char *verb, *group, *resource, *subresource, *namespace_name, *name;
  const char* selector = "";
};

auth::Decision ask(const auth::NodeAuthorizer& authorizer, const auth::User& user,
                   const Question& q) {
  auth::Attributes a;
  a.user = &user;
  a.verb = q.verb;
  a.is_resource = q.resource[0] != '/';
  (a.is_resource ? a.resource : a.path) = q.resource;
  a.group = q.group;
  a.subresource = q.subresource;
  a.namespace_name = q.namespace_name;
  a.name = q.name;
  a.field_selector = q.selector;
  return authorizer.authorize(a);
}

const auth::User kNode = auth::node_user("n1");
constexpr const char* kUnrelated = "no relationship found between node 'n1' and this object";

}  // namespace

TEST_CASE("a node does what every node does, and reads what its pods name") {
  FakePods pods;
  pods.put("a/web", "n1",
           secret_volume("tls") + R"(,"serviceAccountName":"robot","containers":[{"name":"c",
             "envFrom":[{"configMapRef":{"name":"settings"}}]}],"imagePullSecrets":[{"name":"pull"}])");
  pods.put("a/other", "n2", secret_volume("theirs"));
  pods.put("a/waiting", "", secret_volume("waiting"));
  pods.put("a/mirror", "n1", secret_volume("mirrored"), "u",
           R"({"kubernetes.io/config.mirror":"x"})");
  const auth::NodeAuthorizer authorizer(pods);
  const Question allowed[] = {
      {"get", "", "secrets", "", "a", "tls"},
      {"list", "", "secrets", "", "a", "tls"},
      {"watch", "", "secrets", "", "a", "tls"},
      {"get", "", "secrets", "", "a", "pull"},
      {"watch", "", "configmaps", "", "a", "settings"},
      {"create", "", "serviceaccounts", "token", "a", "robot"},
      {"get", "", "serviceaccounts", "", "a", "robot"},
      {"get", "", "pods", "", "a", "web"},
      {"get", "", "pods", "", "a", "mirror"},
      {"list", "", "pods", "", "a", "web", "metadata.name=web"},
      {"list", "", "pods", "", "", "", "spec.nodeName=n1"},
      {"watch", "", "pods", "", "", "", "status.phase!=Failed,spec.nodeName==n1"},
      {"create", "", "pods", "", "a", ""},
      {"delete", "", "pods", "", "a", "other"},
      {"patch", "", "pods", "status", "a", "web"},
      {"create", "", "pods", "eviction", "a", "web"},
      {"get", "", "nodes", "", "", "n1"},
      {"watch", "", "nodes", "", "", "n1", "metadata.name=n1"},
      {"create", "", "nodes", "", "", ""},
      {"patch", "", "nodes", "status", "", "n1"},
      {"create", "coordination.k8s.io", "leases", "", "kube-node-lease", ""},
      {"patch", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1"},
      {"delete", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1"},
      {"create", "storage.k8s.io", "csinodes", "", "", ""},
      {"list", "", "services", "", "", ""},
      {"watch", "discovery.k8s.io", "endpointslices", "", "", ""},
      {"get", "", "endpoints", "", "a", "e"},
      {"create", "", "events", "", "a", ""},
      {"patch", "events.k8s.io", "events", "", "a", "e"},
      {"create", "authentication.k8s.io", "tokenreviews", "", "", ""},
      {"create", "authorization.k8s.io", "subjectaccessreviews", "", "", ""},
      {"create", "authorization.k8s.io", "localsubjectaccessreviews", "", "a", ""},
      {"create", "certificates.k8s.io", "certificatesigningrequests", "", "", ""},
      {"get", "certificates.k8s.io", "certificatesigningrequests", "", "", "c"},
      {"list", "storage.k8s.io", "csidrivers", "", "", ""},
      {"list", "node.k8s.io", "runtimeclasses", "", "", ""},
      {"post", "", "/skiff/v1/renew", "", "", ""},
  };
  for (const auto& question : allowed) {
    INFO(question.verb << " " << question.resource << " " << question.name);
    CHECK(ask(authorizer, kNode, question).verdict == Verdict::allow);
  }
}

TEST_CASE("what a node may not do, in upstream's words") {
  FakePods pods;
  pods.put("a/web", "n1", secret_volume("tls") + R"(,"serviceAccountName":"robot")");
  pods.put("a/other", "n2", secret_volume("theirs") + R"(,"serviceAccountName":"other")");
  pods.put("a/waiting", "", secret_volume("waiting"));
  pods.put("a/mirror", "n1", secret_volume("mirrored") + R"(,"serviceAccountName":"climb")", "u",
           R"({"kubernetes.io/config.mirror":""})");
  const auth::NodeAuthorizer authorizer(pods);
  struct Row {
    Question question;
    const char* reason;
  };
  const Row rows[] = {
      {{"get", "", "secrets", "", "a", "theirs"}, kUnrelated},
      {{"get", "", "secrets", "", "b", "tls"}, kUnrelated},
      {{"get", "", "secrets", "", "a", "waiting"}, kUnrelated},
      {{"get", "", "secrets", "", "a", "mirrored"}, kUnrelated},
      {{"get", "", "configmaps", "", "a", "tls"}, kUnrelated},
      {{"get", "", "secrets", "", "", "tls"}, "can only read namespaced object of this type"},
      {{"list", "", "secrets", "", "a", ""}, "No Object name found"},
      {{"update", "", "secrets", "", "a", "tls"}, "can only read resources of this type"},
      {{"deletecollection", "", "secrets", "", "a", ""}, "can only read resources of this type"},
      {{"get", "", "secrets", "status", "a", "tls"}, "cannot read subresource"},
      {{"create", "", "serviceaccounts", "token", "a", "other"}, kUnrelated},
      {{"create", "", "serviceaccounts", "token", "a", "climb"}, kUnrelated},
      {{"get", "", "serviceaccounts", "", "a", "other"}, kUnrelated},
      {{"list", "", "serviceaccounts", "", "a", ""},
       "can only create tokens for individual service accounts"},
      {{"create", "", "serviceaccounts", "", "a", "x"},
       "can only create token subresource of serviceaccount"},
      {{"get", "", "pods", "", "a", "other"}, kUnrelated},
      {{"get", "", "pods", "", "a", "gone"}, kUnrelated},
      {{"list", "", "pods", "", "a", "other", "metadata.name=other"}, kUnrelated},
      {{"list", "", "pods", "", "", ""},
       "can only list/watch pods with spec.nodeName field selector"},
      {{"list", "", "pods", "", "", "", "spec.nodeName=n2"},
       "can only list/watch pods with spec.nodeName field selector"},
      {{"list", "", "pods", "", "", "", "spec.nodeName!=n1"},
       "can only list/watch pods with spec.nodeName field selector"},
      {{"update", "", "pods", "", "a", "web"}, ""},
      {{"create", "", "pods", "exec", "a", "web"}, ""},
      {{"get", "", "pods", "log", "a", "web"}, ""},
      {{"create", "", "pods", "binding", "a", "waiting"}, ""},
      {{"deletecollection", "", "pods", "", "a", ""}, ""},
      {{"get", "", "nodes", "", "", "n2"}, "node 'n1' cannot read 'n2', only its own Node object"},
      {{"list", "", "nodes", "", "", ""},
       "node 'n1' cannot read all nodes, only its own Node object"},
      {{"delete", "", "nodes", "", "", "n1"}, ""},
      {{"get", "", "nodes", "proxy", "", "n1"}, ""},
      {{"list", "coordination.k8s.io", "leases", "", "kube-node-lease", ""},
       "can only get, create, update, patch, or delete a node lease"},
      {{"get", "coordination.k8s.io", "leases", "", "kube-system", "n1"},
       "can only access leases in the \"kube-node-lease\" system namespace"},
      {{"patch", "coordination.k8s.io", "leases", "", "kube-node-lease", "n2"},
       "can only access node lease with the same name as the requesting node"},
      {{"get", "storage.k8s.io", "csinodes", "", "", "n2"},
       "can only access CSINode with the same name as the requesting node"},
      {{"get", "", "persistentvolumeclaims", "", "a", "c"}, kUnrelated},
      {{"list", "", "persistentvolumeclaims", "", "a", ""},
       "can only get individual resources of this type"},
      {{"list", "", "endpoints", "", "", ""}, ""},
      {{"delete", "", "events", "", "a", "e"}, ""},
      {{"get", "", "namespaces", "", "", "a"}, ""},
      {{"update", "certificates.k8s.io", "certificatesigningrequests", "approval", "", "c"}, ""},
      {{"create", "rbac.authorization.k8s.io", "clusterrolebindings", "", "", ""}, ""},
      {{"impersonate", "", "users", "", "", "admin"}, ""},
      {{"get", "", "/metrics", "", "", ""}, ""},
      {{"post", "", "/skiff/v1/roll-ca", "", "", ""}, ""},
  };
  for (const auto& [question, reason] : rows) {
    INFO(question.verb << " " << question.resource << " " << question.name);
    auto decision = ask(authorizer, kNode, question);
    CHECK(decision.verdict == Verdict::no_opinion);
    CHECK(decision.reason == reason);
  }
}

TEST_CASE("a selector that only looks like the own node selects nothing") {
  FakePods pods;
  pods.put("a/web", "n1");
  const auth::NodeAuthorizer authorizer(pods);
  // The comma is escaped: all of it is one value, and every other pod would be listed.
  for (const char* selector :
       {"metadata.name!=x\\,spec.nodeName=n1", "status.phase!=\\,spec.nodeName=n1,",
        "spec.nodeName=n1\\,", " spec.nodeName=n1", "spec.nodeName=n1 ", "spec.nodeName=N1",
        "spec.nodeName", "spec.nodename=n1", "spec.nodeName=n1=", "x.spec.nodeName=n1"}) {
    INFO(selector);
    CHECK(ask(authorizer, kNode, {"list", "", "pods", "", "", "", selector}).verdict ==
          Verdict::no_opinion);
  }
}

TEST_CASE("only a system:node user of system:nodes is a node") {
  FakePods pods;
  const auth::NodeAuthorizer authorizer(pods);
  const Question own{"get", "", "nodes", "", "", "n1"};
  const auth::User no_group{"system:node:n1", {}, {"system:authenticated"}, {}};
  const auth::User no_name{"n1", {}, {"system:nodes"}, {}};
  const auth::User nobody{"system:node:", {}, {"system:nodes"}, {}};
  CHECK(ask(authorizer, no_group, own).verdict == Verdict::no_opinion);
  CHECK(ask(authorizer, no_name, own).verdict == Verdict::no_opinion);
  CHECK(ask(authorizer, nobody, own).reason == "unknown node for user \"system:node:\"");
  CHECK(ask(authorizer, nobody, {"list", "", "services", "", "", ""}).verdict ==
        Verdict::no_opinion);
}

TEST_CASE("the graph follows pods as they come, move and go") {
  FakePods pods;
  const auth::CurrentGraph graph(pods);
  auto reads = [&](const char* node, const char* secret) {
    return graph.names(node, PodReference::secret, "a", secret);
  };
  CHECK_FALSE(reads("n1", "s"));
  pods.put("a/one", "", secret_volume("s"));
  CHECK_FALSE(reads("n1", "s"));
  pods.put("a/one", "n1", secret_volume("s"));
  CHECK(reads("n1", "s"));
  pods.put("a/two", "n1", secret_volume("s"));
  CHECK(reads("n1", "s"));
  pods.remove("a/one");
  CHECK(reads("n1", "s"));
  SECTION("the last pod goes") {
    pods.remove("a/two");
    CHECK_FALSE(reads("n1", "s"));
    CHECK_FALSE(graph.is_on("n1", "a", "two"));
  }
  SECTION("a pod of the same name comes to another node") {
    pods.remove("a/two");
    pods.put("a/two", "n2", secret_volume("t"), "another");
    CHECK_FALSE(reads("n1", "s"));
    CHECK_FALSE(reads("n2", "s"));
    CHECK(reads("n2", "t"));
  }
  SECTION("nobody saw it go and come again on the same node") {
    pods.put("a/two", "n1", secret_volume("t"), "another");
    CHECK_FALSE(reads("n1", "s"));
    CHECK(reads("n1", "t"));
  }
  SECTION("an ephemeral container names more") {
    pods.put("a/two", "n1", secret_volume("s") + R"(,"ephemeralContainers":[{"name":"e","envFrom":
               [{"secretRef":{"name":"late"}}]}])");
    CHECK(reads("n1", "late"));
  }
  SECTION("changes were lost: what is there is read, what is gone is forgotten") {
    pods.put("a/three", "n1", secret_volume("u"));
    pods.remove("a/two");
    pods.forget();
    CHECK_FALSE(reads("n1", "s"));
    CHECK(reads("n1", "u"));
    CHECK(pods.scans == 2);
  }
}

TEST_CASE("the graph keeps nothing of what is gone") {
  FakePods pods;
  auth::NodeGraph graph;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) {
      const std::string number = std::to_string(i);
      pods.put("a/p" + number, "n" + std::to_string(i % 7),
               secret_volume("s" + std::to_string(i % 11)), std::to_string(round));
    }
    pods.scan([&](std::string_view key, const api::StoredObject& pod) { graph.put(key, pod); });
    CHECK(graph.pods() == 50);
    CHECK(graph.names("n3", PodReference::secret, "a", "s3"));
    for (int i = 0; i < 50; ++i) graph.remove("a/p" + std::to_string(i));
    CHECK(graph.pods() == 0);
    for (int i = 0; i < 7; ++i) {
      for (int s = 0; s < 11; ++s) {
        CHECK_FALSE(graph.names("n" + std::to_string(i), PodReference::secret, "a",
                                "s" + std::to_string(s)));
      }
    }
  }
}

TEST_CASE("claims that are made for a pod are its node's too") {
  FakePods pods;
  pods.put("a/web", "n1",
           R"("volumes":[{"name":"own","ephemeral":{"volumeClaimTemplate":{}}},
                         {"name":"v","persistentVolumeClaim":{"claimName":"shared"}},
                         {"name":"d","csi":{"driver":"d","nodePublishSecretRef":{"name":"key"}}}])");
  const auth::NodeAuthorizer authorizer(pods);
  for (const char* claim : {"web-own", "shared"}) {
    CHECK(ask(authorizer, kNode, {"get", "", "persistentvolumeclaims", "", "a", claim}).verdict ==
          Verdict::allow);
  }
  CHECK(ask(authorizer, kNode, {"get", "", "secrets", "", "a", "key"}).verdict == Verdict::allow);
}

TEST_CASE("a decision about a node allocates nothing") {
  FakePods pods;
  for (int i = 0; i < 400; ++i) {
    const std::string number = std::to_string(i);
    pods.put("a-long-namespace-name/pod-with-a-long-name-" + number, "n" + std::to_string(i % 20),
             secret_volume("secret-with-a-long-name-" + number));
  }
  const auth::NodeAuthorizer authorizer(pods);
  auth::Attributes a;
  a.user = &kNode;
  a.verb = "get";
  a.is_resource = true;
  a.resource = "secrets";
  a.namespace_name = "a-long-namespace-name";
  a.name = "secret-with-a-long-name-21";
  CHECK(authorizer.authorize(a).verdict == Verdict::allow);
  const auto before = test::allocations();
  const bool allowed = authorizer.authorize(a).verdict == Verdict::allow;
  const auto after = test::allocations();
  CHECK(allowed);
  CHECK(after == before);
}
