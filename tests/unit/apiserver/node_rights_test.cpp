// What a thief with the key of node n1 may do, and what not.
#include <skiff/codec/base64.h>

#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using test::Answer;
using test::ApiFixture;

namespace {

constexpr const char* kPods = "/api/v1/namespaces/default/pods";
constexpr const char* kSecrets = "/api/v1/namespaces/default/secrets";
constexpr const char* kAccounts = "/api/v1/namespaces/default/serviceaccounts";
constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
constexpr const char* kMerge = "application/merge-patch+json";

// Two nodes with a pod each: "mine" on n1 names the secret "used", "theirs" on n2 "other".
class Cluster : public ApiFixture {
 public:
  Cluster() {
    for (const char* account : {"default", "robot"}) {
      made(kAccounts, R"({"metadata":{"name":")" + std::string(account) + "\"}}");
    }
    for (const char* secret : {"used", "other"}) {
      made(kSecrets, R"({"metadata":{"name":")" + std::string(secret) + "\"}}");
    }
    for (const char* node : {"n1", "n2"}) {
      made("/api/v1/nodes", R"({"metadata":{"name":")" + std::string(node) +
                                R"(","annotations":{"skiff.dev/public-key-sha256":"k"}}})");
    }
    made(kPods, pod("mine", "n1", "default", "used"));
    made(kPods, pod("theirs", "n2", "robot", "other"));
    be_node("n1");
  }

  static std::string pod(const std::string& name, const std::string& node,
                         const std::string& account, const std::string& secret) {
    return R"({"metadata":{"name":")" + name + R"("},"spec":{"nodeName":")" + node +
           R"(","serviceAccountName":")" + account +
           R"(","containers":[{"name":"c","image":"i","envFrom":[{"secretRef":{"name":")" + secret +
           R"("}}]}],"volumes":[{"name":"t","projected":{"sources":[{"serviceAccountToken":
           {"path":"vault","audience":"vault"}}]}}]}})";
  }
  // A mirror pod of the node with further members of its metadata and spec.
  std::string mirror(const std::string& name, const std::string& spec, const std::string& owners) {
    return R"({"metadata":{"name":")" + name +
           R"(","annotations":{"kubernetes.io/config.mirror":"x"},"ownerReferences":[)" + owners +
           R"(]},"spec":{)" + spec + R"("nodeName":"n1","containers":[{"name":"c","image":"i"}]}})";
  }
  std::string owner(const std::string& node = "n1", const std::string& rest = "") {
    return R"({"apiVersion":"v1","kind":"Node","name":")" + node + R"(","uid":")" +
           uid("/api/v1/nodes/" + node) + R"(","controller":true)" + rest + "}";
  }
  // Read as a master.
  std::string uid(const std::string& path) {
    auto name = std::exchange(user, "admin");
    auto before = std::exchange(groups, {"system:masters"});
    std::string text(call("GET", path).json()["metadata"]["uid"].as_string());
    user = name;
    groups = before;
    return text;
  }
  std::string token_request(const std::string& pod, const std::string& audiences,
                            const std::string& uid) {
    return R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":[)" +
           audiences + R"(],"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":")" + pod +
           R"(","uid":")" + uid + "\"}}}";
  }
  void be_node(const std::string& node) {
    user = "system:node:" + node;
    groups = {"system:nodes"};
  }
  void made(const std::string& path, const std::string& body) {
    auto answer = call("POST", path, body);
    INFO(path << " " << answer.body);
    REQUIRE(answer.status == 201);
  }
};

void check_refused(const Answer& answer, const std::string& sentence, int status = 403) {
  INFO(sentence);
  CHECK(answer.status == status);
  CHECK(answer.message() == sentence);
}

}  // namespace

TEST_CASE("a stolen node key reads what the node's pods name, and nothing else") {
  Cluster api;
  CHECK(api.call("GET", std::string(kSecrets) + "/used").status == 200);
  CHECK(api.call("GET", std::string(kSecrets) + "?fieldSelector=metadata.name%3Dused").status ==
        200);
  CHECK(api.call("GET", std::string(kPods) + "/mine").status == 200);
  CHECK(api.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").json()["items"].size() ==
        1);
  check_refused(api.call("GET", std::string(kSecrets) + "/other"),
                "secrets \"other\" is forbidden: User \"system:node:n1\" cannot get resource "
                "\"secrets\" in API group \"\" in the namespace \"default\": no relationship found "
                "between node 'n1' and this object");
  for (const char* path :
       {"/api/v1/secrets", "/api/v1/namespaces/default/secrets", "/api/v1/configmaps",
        "/api/v1/namespaces/default/pods/theirs", "/api/v1/pods", "/api/v1/nodes",
        "/api/v1/nodes/n2", "/api/v1/namespaces", "/metrics",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/api/v1/namespaces/default/serviceaccounts", "/api/v1/namespaces/default/pods/mine/log"}) {
    INFO(path);
    CHECK(api.call("GET", path).status == 403);
  }
}

TEST_CASE("a field selector shows no more than it was allowed for") {
  Cluster api;
  // The value has an escaped comma: these select everything but a name that nothing has.
  for (const std::string& target :
       {std::string(kSecrets) + "?fieldSelector=metadata.name!%3Dx%5C,metadata.name%3Dused",
        std::string("/api/v1/pods?fieldSelector=metadata.name!%3Dx%5C,spec.nodeName%3Dn1"),
        std::string(
            "/api/v1/pods?watch=true&fieldSelector=metadata.name!%3Dx%5C,spec.nodeName%3Dn1"),
        std::string("/api/v1/pods?fieldSelector=&fieldSelector=spec.nodeName%3Dn1"),
        std::string(kSecrets) + "?fieldSelector=&fieldSelector=metadata.name%3Dused"}) {
    INFO(target);
    CHECK(api.call("GET", target).status == 403);
  }
  // Of two selectors the first counts, for the authorizer as for the list.
  auto twice = api.call(
      "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&fieldSelector=spec.nodeName%3Dn2");
  CHECK(twice.status == 200);
  CHECK(twice.json()["items"].size() == 1);
}

TEST_CASE("roles that name objects are not widened by a selector either") {
  Cluster api;
  api.user = "admin";
  api.groups = {"system:masters"};
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
  api.made(rbac + "/roles",
           R"({"metadata":{"name":"one"},"rules":[{"apiGroups":[""],"resources":["secrets"],
              "verbs":["list"],"resourceNames":["used"]}]})");
  api.made(rbac + "/rolebindings",
           R"({"metadata":{"name":"one"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
              "kind":"Role","name":"one"},"subjects":[{"kind":"User","name":"jane"}]})");
  api.user = "jane";
  api.groups.clear();
  const std::string list = std::string(kSecrets) + "?fieldSelector=";
  CHECK(api.call("GET", list + "metadata.name%3Dused").json()["items"].size() == 1);
  CHECK(api.call("GET", list + "metadata.name!%3Dx%5C,metadata.name%3Dused").status == 403);
}

TEST_CASE("a stolen node key makes only harmless mirror pods of its own node") {
  Cluster api;
  const std::string own = api.owner();
  CHECK(api.call("POST", kPods, api.mirror("fine", "", own)).status == 201);
  struct Row {
    std::string spec, owners, sentence;
  };
  const std::string only = "node \"n1\" can only create pods with ";
  const std::string no_reference = "node \"n1\" can not create pods that reference ";
  const std::string cert = R"({"name":"v","projected":{"sources":[{"clusterTrustBundle":
    {"path":"p","signerName":"s.example.com/x"}}]}})";
  const Row rows[] = {
      {"", "", only + "an owner reference set to itself"},
      {"", own + "," + own, only + "a single owner reference set to itself"},
      {"", api.owner("n2"), only + "an owner reference set to itself"},
      {"", R"({"apiVersion":"v1","kind":"Node","name":"n1","uid":"x"})",
       only + "a controller owner reference set to itself"},
      {"", R"({"apiVersion":"v1","kind":"Pod","name":"n1","uid":"x","controller":true})",
       only + "an owner reference set to itself"},
      {"", api.owner("n1", R"(,"blockOwnerDeletion":true)"),
       "node \"n1\" must not set blockOwnerDeletion on an owner reference"},
      {"", R"({"apiVersion":"v1","kind":"Node","name":"n1","uid":"x","controller":true})",
       "node n1 UID mismatch: expected x got " + api.uid("/api/v1/nodes/n1")},
      {R"("serviceAccountName":"default",)", own,
       "a mirror pod may not reference service accounts"},
      {R"("volumes":[{"name":"v","secret":{"secretName":"other"}}],)", own,
       "a mirror pod may not reference secrets"},
      {R"("imagePullSecrets":[{"name":"other"}],)", own, "a mirror pod may not reference secrets"},
      {R"("volumes":[{"name":"v","csi":{"driver":"d","nodePublishSecretRef":{"name":"other"}}}],)",
       own, "a mirror pod may not reference secrets"},
      {R"("volumes":[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}],)",
       own, "a mirror pod may not use ServiceAccountToken volume projections"},
      {R"("volumes":[{"name":"v","configMap":{"name":"x"}}],)", own, no_reference + "configmaps"},
      {R"("volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"x"}}],)", own,
       no_reference + "persistentvolumeclaims"},
      {R"("volumes":[{"name":"v","csi":{"driver":"d"}}],)", own,
       no_reference + "csidrivers (via CSI volumes)"},
      {R"("resourceClaims":[{"name":"c","resourceClaimName":"x"}],)", own,
       no_reference + "resourceclaims"},
      {R"("volumes":[)" + cert + "],", own, no_reference + "clustertrustbundles"},
  };
  for (const auto& row : rows) {
    check_refused(api.call("POST", kPods, api.mirror("bad", row.spec, row.owners)),
                  "pods \"bad\" is forbidden: " + row.sentence);
  }
  check_refused(api.call("POST", kPods, Cluster::pod("plain", "n1", "default", "other")),
                "pods \"plain\" is forbidden: pod does not have \"kubernetes.io/config.mirror\" "
                "annotation, node \"n1\" can only create mirror pods");
  auto elsewhere = api.mirror("far", "", own);
  elsewhere.replace(elsewhere.find(R"("nodeName":"n1")"), 15, R"("nodeName":"n2")");
  check_refused(api.call("POST", kPods, elsewhere),
                "pods \"far\" is forbidden: node \"n1\" can only create pods with spec.nodeName "
                "set to itself");
}

TEST_CASE("a node is told 403 before it is told that its object is no good") {
  Cluster api;
  auto bad = api.call("POST", kPods, R"({"metadata":{"name":"bad"},"spec":{"nodeName":"n1"}})");
  check_refused(bad,
                "pods \"bad\" is forbidden: pod does not have \"kubernetes.io/config.mirror\" "
                "annotation, node \"n1\" can only create mirror pods");
  auto taint =
      api.call("PATCH", "/api/v1/nodes/n2", R"({"spec":{"taints":[{"key":"_"}]}})", kMerge);
  check_refused(taint,
                "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
  auto own = api.call("PATCH", "/api/v1/nodes/n1", R"({"spec":{"taints":[{"key":"_"}]}})", kMerge);
  check_refused(own, "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
}

TEST_CASE("a stolen node key changes the pods of its node only, and not what selects them") {
  Cluster api;
  const std::string mine = std::string(kPods) + "/mine";
  const std::string theirs = std::string(kPods) + "/theirs";
  const std::string ready = R"({"status":{"phase":"Running"}})";
  CHECK(api.call("PATCH", mine + "/status", ready, kMerge).status == 200);
  check_refused(
      api.call("PATCH", theirs + "/status", ready, kMerge),
      "pods \"theirs\" is forbidden: node \"n1\" can only update pod status for pods with "
      "spec.nodeName set to itself");
  check_refused(
      api.call("PATCH", mine + "/status", R"({"metadata":{"labels":{"app":"bank"}}})", kMerge),
      "pods \"mine\" is forbidden: node \"n1\" cannot update labels through pod status");
  check_refused(api.call("PATCH", mine + "/status",
                         R"({"status":{"resourceClaimStatuses":[{"name":"c"}]}})", kMerge),
                "pods \"mine\" is forbidden: node \"n1\" cannot update resource claim statues");
  CHECK(api.call("PATCH", mine, R"({"metadata":{"labels":{"app":"bank"}}})", kMerge).status == 403);
  check_refused(api.call("DELETE", theirs),
                "pods \"theirs\" is forbidden: node \"n1\" can only delete pods with spec.nodeName "
                "set to itself");
  check_refused(api.call("DELETE", theirs, R"({"preconditions":{"uid":"wrong"}})"),
                "pods \"theirs\" is forbidden: node \"n1\" can only delete pods with spec.nodeName "
                "set to itself");
  CHECK(api.call("DELETE", kPods).status == 403);
  CHECK(api.call("DELETE", std::string(kPods) + "/none").status == 404);
  CHECK(api.call("DELETE", mine + "?gracePeriodSeconds=0").status == 200);
  CHECK(api.call("POST", theirs + "/binding", R"({"target":{"kind":"Node","name":"n1"}})").status ==
        403);
  CHECK(api.call("POST", mine + "/exec?command=sh&stdout=true").status == 403);
}

TEST_CASE("the pod that a secret was read for is gone, and so is the right") {
  Cluster api;
  CHECK(api.call("GET", std::string(kSecrets) + "/used").status == 200);
  CHECK(api.call("DELETE", std::string(kPods) + "/mine?gracePeriodSeconds=0").status == 200);
  CHECK(api.call("GET", std::string(kSecrets) + "/used").status == 403);
}

TEST_CASE("nobody makes a mirror pod of a pod, or a pod of a mirror pod") {
  Cluster api;
  CHECK(api.call("POST", kPods, api.mirror("mirror", "", api.owner())).status == 201);
  api.user = "admin";
  api.groups = {"system:masters"};
  auto change = [&](const char* name, const char* value) {
    return api.call("PATCH", std::string(kPods) + "/" + name,
                    R"({"metadata":{"annotations":{"kubernetes.io/config.mirror":)" +
                        std::string(value) + "}}}",
                    kMerge);
  };
  CHECK(change("mirror", "null").message() ==
        "Pod \"mirror\" is invalid: metadata.annotations[kubernetes.io/config.mirror]: Forbidden: "
        "may not remove or update mirror pod annotation");
  CHECK(change("mirror", "\"y\"").status == 422);
  CHECK(change("mine", "\"x\"").message() ==
        "Pod \"mine\" is invalid: metadata.annotations[kubernetes.io/config.mirror]: Forbidden: "
        "may not add mirror pod annotation");
  CHECK(change("mirror", "\"x\"").status == 200);
}

TEST_CASE("a stolen node key describes its own node, but does not steer pods to it") {
  Cluster api;
  auto patch = [&](const std::string& body, const std::string& path = "/api/v1/nodes/n1") {
    return api.call("PATCH", path, body, kMerge);
  };
  auto labels = [](const std::string& list) { return R"({"metadata":{"labels":{)" + list + "}}}"; };
  CHECK(patch(labels(R"("kubernetes.io/arch":"arm64","topology.kubernetes.io/zone":"z",
                        "x.node.kubernetes.io/a":"b","kubelet.kubernetes.io/c":"d",
                        "example.com/site":"roof")"))
            .status == 200);
  const std::string before = "nodes \"n1\" is forbidden: ";
  check_refused(patch(labels(R"("node-restriction.kubernetes.io/vault":"true")")),
                before + "is not allowed to modify labels: node-restriction.kubernetes.io/vault");
  check_refused(patch(labels(R"("node-role.kubernetes.io/master":"","a.k8s.io/b":"","k8s.io/c":"",
                                "x.node-restriction.kubernetes.io/d":"","kubernetes.io/e":"")")),
                before +
                    "is not allowed to modify labels: a.k8s.io/b, k8s.io/c, kubernetes.io/e, "
                    "node-role.kubernetes.io/master, x.node-restriction.kubernetes.io/d");
  CHECK(patch(labels(R"("node-role.kubernetes.io/master":"")"), "/api/v1/nodes/n1/status").status ==
        403);
  CHECK(patch(labels(R"("notkubernetes.io/x":"")")).status == 200);
  check_refused(patch(R"({"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod",
                          "name":"p","uid":"u"}]}})"),
                before + "node \"n1\" is not allowed to modify ownerReferences");
  check_refused(patch(R"({"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}})"),
                before + "node \"n1\" is not allowed to modify taints");
  check_refused(
      patch(R"({"spec":{"configSource":{"configMap":{"name":"a"}}}})"),
      before + "node \"n1\" is not allowed to update configSource to a new non-nil configSource");
  for (const char* value : {"null", "\"mine\""}) {
    for (const char* path : {"/api/v1/nodes/n1", "/api/v1/nodes/n1/status"}) {
      check_refused(patch(R"({"metadata":{"annotations":{"skiff.dev/public-key-sha256":)" +
                              std::string(value) + "}}}",
                          path),
                    before +
                        "node \"n1\" is not allowed to modify the annotation "
                        "skiff.dev/public-key-sha256");
    }
  }
  check_refused(patch("{}", "/api/v1/nodes/n2/status"),
                "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
  CHECK(api.call("DELETE", "/api/v1/nodes/n1").status == 403);
  CHECK(api.call("DELETE", "/api/v1/nodes/n2").status == 403);
}

TEST_CASE("a node registers itself and nobody else") {
  Cluster api;
  api.be_node("n3");
  auto node = [](const std::string& name, const std::string& rest) {
    return R"({"metadata":{"name":")" + name + "\"" + rest + "}}";
  };
  check_refused(api.call("POST", "/api/v1/nodes", node("n4", "")),
                "nodes \"n4\" is forbidden: node \"n3\" is not allowed to modify node \"n4\"");
  check_refused(
      api.call("POST", "/api/v1/nodes",
               node("n3", R"(,"labels":{"node-restriction.kubernetes.io/a":"b"})")),
      "nodes \"n3\" is forbidden: node \"n3\" is not allowed to set the following labels: "
      "node-restriction.kubernetes.io/a");
  CHECK(api.call("POST", "/api/v1/nodes",
                 node("n3", R"(,"annotations":{"skiff.dev/public-key-sha256":"k"})"))
            .status == 403);
  CHECK(api.call("POST", "/api/v1/nodes", node("n3", R"(,"labels":{"kubernetes.io/os":"linux"})"))
            .status == 201);
}

TEST_CASE("a stolen node key renews the lease of its own node only") {
  Cluster api;
  const std::string other = "can only access node lease with the same name as the requesting node";
  check_refused(api.call("POST", kLeases, R"({"metadata":{"name":"n2"},"spec":{}})"),
                "leases.coordination.k8s.io \"n2\" is forbidden: " + other);
  CHECK(api.call("POST", kLeases, R"({"metadata":{"name":"n1"},"spec":{}})").status == 201);
  CHECK(api.call("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases",
                 R"({"metadata":{"name":"n1"},"spec":{}})")
            .status == 403);
  api.be_node("n2");
  CHECK(api.call("POST", kLeases, R"({"metadata":{"name":"n2"},"spec":{}})").status == 201);
  api.be_node("n1");
  for (const char* method : {"GET", "PUT", "PATCH", "DELETE"}) {
    auto answer =
        api.call(method, std::string(kLeases) + "/n2",
                 method[0] == 'P' ? R"({"metadata":{"name":"n2"},"spec":{}})" : "", kMerge);
    CHECK(answer.status == 403);
    CHECK(answer.message().find(other) != std::string::npos);
  }
}

TEST_CASE("a stolen node key takes tokens for the pods of its node only") {
  Cluster api;
  const std::string mine = api.uid(std::string(kPods) + "/mine");
  const std::string theirs = api.uid(std::string(kPods) + "/theirs");
  const std::string token = std::string(kAccounts) + "/default/token";
  const std::string forbidden = "serviceaccounts \"default\" is forbidden: ";
  CHECK(api.call("POST", token, api.token_request("mine", "", mine)).status == 201);
  CHECK(api.call("POST", token, api.token_request("mine", "\"vault\"", mine)).status == 201);
  check_refused(api.call("POST", token, api.token_request("mine", "\"bank\"", mine)),
                forbidden +
                    "audience \"bank\" not found in pod spec volume, system:node:n1 is not "
                    "authorized to request tokens for this audience");
  check_refused(api.call("POST", token, api.token_request("mine", "\"vault\",\"bank\"", mine)),
                forbidden + "node may only request 0 or 1 audiences");
  check_refused(api.call("POST", token, R"({"spec":{}})"),
                forbidden + "node requested token not bound to a pod");
  check_refused(api.call("POST", token, api.token_request("mine", "", "")),
                forbidden + "node requested token with a pod binding without a uid");
  check_refused(api.call("POST", token, api.token_request("mine", "", theirs)),
                forbidden + "the UID in the bound object reference (" + theirs +
                    ") does not match the UID in record. The object might have been deleted and "
                    "then recreated");
  check_refused(api.call("POST", token, api.token_request("theirs", "", theirs)),
                forbidden + "node requested token bound to a pod scheduled on a different node");
  auto foreign = api.call("POST", std::string(kAccounts) + "/robot/token",
                          api.token_request("theirs", "", theirs));
  CHECK(foreign.status == 403);
  CHECK(foreign.message().find("no relationship found between node 'n1'") != std::string::npos);
  SECTION("a role may give it a further audience") {
    api.user = "admin";
    api.groups = {"system:masters"};
    const std::string rbac = "/apis/rbac.authorization.k8s.io/v1";
    api.made(rbac + "/clusterroles",
             R"({"metadata":{"name":"bank"},"rules":[{"apiGroups":[""],"resources":["bank"],
                "verbs":["request-serviceaccounts-token-audience"],"resourceNames":["default"]}]})");
    api.made(rbac + "/clusterrolebindings",
             R"({"metadata":{"name":"bank"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
                "kind":"ClusterRole","name":"bank"},"subjects":[{"kind":"Group",
                "name":"system:nodes"}]})");
    api.be_node("n1");
    CHECK(api.call("POST", token, api.token_request("mine", "\"bank\"", mine)).status == 201);
  }
}

TEST_CASE("headers make nobody of a node") {
  Cluster api;
  auto with = [&](const std::vector<std::pair<std::string, std::string>>& headers) {
    auto request = api.request("GET", std::string(kSecrets) + "/other");
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    return api.send(std::move(request));
  };
  CHECK(with({{"Impersonate-User", "system:node:n2"}}).status == 403);
  CHECK(with({{"Impersonate-User", "admin"}, {"Impersonate-Group", "system:masters"}}).status ==
        403);
  CHECK(with({{"impersonate-user", "system:node:n2"}, {"Impersonate-Group", "system:nodes"}})
            .status == 403);
  CHECK(with({{"Impersonate-Group", "system:masters"}}).status == 400);
  CHECK(with({{"Impersonate-Extra-Scopes", "all"}}).status == 400);
  // Nobody stands between skiff and its clients: these headers mean nothing.
  auto remote = with({{"X-Remote-User", "admin"},
                      {"X-Remote-Group", "system:masters"},
                      {"X-Remote-Extra-Scopes", "all"},
                      {"X-Forwarded-User", "admin"}});
  CHECK(remote.status == 403);
  CHECK(remote.message().find("User \"system:node:n1\"") != std::string::npos);
  // The certificate says who it is; a token beside it changes nothing.
  CHECK(with({{"Authorization", "Bearer x"}}).message().find("system:node:n1") !=
        std::string::npos);
}

TEST_CASE("a certificate that is nearly a node's is nobody's") {
  Cluster api;
  const std::string secret = std::string(kSecrets) + "/used";
  for (const char* name : {"system:node", "system:nodes:n1", "system:node:n1/", "System:Node:n1",
                           " system:node:n1", "system:node:n1 ", "n1"}) {
    api.user = name;
    INFO(name);
    CHECK(api.call("GET", secret).status == 403);
  }
  api.user = "system:node:n1";
  api.groups = {"system:node", "system:nodes "};
  CHECK(api.call("GET", secret).status == 403);
  // An empty common name is no name, whatever the organizations are.
  api.user = "";
  api.groups = {"system:masters"};
  auto nobody = api.call("GET", secret);
  CHECK(nobody.status == 403);
  CHECK(nobody.message().find("User \"system:anonymous\"") != std::string::npos);
  SECTION("a node without a name writes nothing, whatever roles give the group") {
    api.user = "admin";
    const std::string rbac = "/apis/rbac.authorization.k8s.io/v1";
    api.made(rbac + "/clusterrolebindings",
             R"({"metadata":{"name":"nodes"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
                "kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group",
                "name":"system:nodes"}]})");
    api.user = "system:node:";
    api.groups = {"system:nodes"};
    check_refused(api.call("POST", kSecrets, R"({"metadata":{"name":"x"}})"),
                  "secrets \"x\" is forbidden: could not determine node from user "
                  "\"system:node:\"");
  }
}
