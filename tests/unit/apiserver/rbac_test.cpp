#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

namespace {

const std::string kRbac = "/apis/rbac.authorization.k8s.io/v1";
const std::string kPods = "/api/v1/namespaces/default/pods";

std::string role(const std::string& name, const std::string& verbs, const std::string& resources) {
  return R"({"metadata":{"name":")" + name + R"("},"rules":[{"apiGroups":[""],"verbs":)" + verbs +
         R"(,"resources":)" + resources + "}]}";
}

std::string binding(const std::string& name, const std::string& kind, const std::string& role_name,
                    const std::string& user) {
  return R"({"metadata":{"name":")" + name + R"("},"roleRef":{"kind":")" + kind + R"(","name":")" +
         role_name + R"("},"subjects":[{"kind":"User","name":")" + user + "\"}]}";
}

void become(ApiFixture& api, std::string user, std::vector<std::string> groups = {}) {
  api.user = std::move(user);
  api.groups = std::move(groups);
}

}  // namespace

TEST_CASE("a binding works for the request after it, and no longer than it is there") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/namespaces/default/roles",
                   role("readers", R"(["get","list"])", R"(["pods"])"))
              .status == 201);
  for (int round = 0; round < 3; ++round) {
    become(api, "admin", {"system:masters"});
    REQUIRE(api.call("POST", kRbac + "/namespaces/default/rolebindings",
                     binding("jane", "Role", "readers", "jane"))
                .status == 201);
    become(api, "jane");
    CHECK(api.call("GET", kPods).status == 200);
    CHECK(api.call("GET", "/api/v1/pods").status == 403);
    CHECK(api.call("GET", "/api/v1/namespaces/kube-system/pods").status == 403);
    CHECK(api.call("DELETE", kPods + "/a").status == 403);
    become(api, "admin", {"system:masters"});
    REQUIRE(api.call("DELETE", kRbac + "/namespaces/default/rolebindings/jane").status == 200);
    become(api, "jane");
    CHECK(api.call("GET", kPods).status == 403);
  }
}

TEST_CASE("a binding to a role that is not there is told") {
  ApiFixture api;
  for (const char* name : {"gone", "lost"}) {
    REQUIRE(
        api.call("POST", kRbac + "/clusterrolebindings", binding(name, "ClusterRole", name, "jane"))
            .status == 201);
  }
  become(api, "jane");
  auto denied = api.call("GET", kPods);
  CHECK(denied.status == 403);
  CHECK(denied.message() ==
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the "
        "namespace \"default\": RBAC: [clusterrole.rbac.authorization.k8s.io \"gone\" not found, "
        "clusterrole.rbac.authorization.k8s.io \"lost\" not found]");
}

TEST_CASE("nobody gives away what they do not have") {
  ApiFixture api;
  const std::string roles = kRbac + "/namespaces/default/roles";
  const std::string bindings = kRbac + "/namespaces/default/rolebindings";
  REQUIRE(api.call("POST", kRbac + "/clusterroles",
                   R"({"metadata":{"name":"smith"},"rules":[{"apiGroups":[
                       "rbac.authorization.k8s.io"],"resources":["*"],"verbs":["create","update",
                       "patch","get"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/clusterrolebindings",
                   binding("smith", "ClusterRole", "smith", "jane"))
              .status == 201);
  become(api, "jane");
  CHECK(api.call("POST", roles, role("ok", R"(["get"])", R"(["pods"])")).status == 201);
  auto refused = api.call("POST", roles, role("more", R"(["get","list"])", R"(["pods"])"));
  CHECK(refused.status == 403);
  CHECK(refused.message() ==
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"jane\" "
        "(groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently "
        "held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}");
  CHECK(api.call("PUT", roles + "/ok", role("ok", R"(["get","list"])", R"(["pods"])")).status ==
        403);
  CHECK(
      api.call("PATCH", roles + "/ok", R"({"rules":[]})", "application/merge-patch+json").status ==
      200);
  CHECK(api.call("PATCH", roles + "/new?fieldManager=m",
                 R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role",)" +
                     role("new", R"(["list"])", R"(["pods"])").substr(1),
                 "application/apply-patch+yaml")
            .status == 403);
  CHECK(api.call("POST", bindings, binding("own", "Role", "ok", "joe")).status == 201);
  auto bound = api.call("POST", bindings, binding("big", "ClusterRole", "cluster-admin", "jane"));
  CHECK(bound.status == 403);
  CHECK(bound.message().find("{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n"
                             "{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}") != std::string::npos);
  auto nothing = api.call("POST", bindings, binding("none", "Role", "none", "jane"));
  CHECK(nothing.status == 404);
  auto gather = api.call("POST", kRbac + "/clusterroles",
                         R"({"metadata":{"name":"g"},"aggregationRule":{"clusterRoleSelectors":[
                             {"matchLabels":{"a":"b"}}]}})");
  CHECK(gather.status == 403);
  CHECK(gather.message().find("must have cluster-admin privileges to use the aggregationRule") !=
        std::string::npos);

  become(api, "admin", {"system:masters"});
  REQUIRE(api.call("POST", kRbac + "/clusterroles",
                   R"({"metadata":{"name":"binder"},"rules":[{"apiGroups":[
                       "rbac.authorization.k8s.io"],"resources":["clusterroles"],"verbs":["bind"],
                       "resourceNames":["view"]},{"apiGroups":["rbac.authorization.k8s.io"],
                       "resources":["roles"],"verbs":["escalate"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/clusterrolebindings",
                   binding("binder", "ClusterRole", "binder", "jane"))
              .status == 201);
  become(api, "jane");
  CHECK(api.call("POST", bindings, binding("v", "ClusterRole", "view", "joe")).status == 201);
  CHECK(api.call("POST", bindings, binding("e", "ClusterRole", "cluster-admin", "joe")).status ==
        403);
  CHECK(api.call("POST", roles, role("more", R"(["get","list"])", R"(["pods"])")).status == 201);
}

TEST_CASE("an update that would create needs the right to create") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/namespaces/default/roles",
                   R"({"metadata":{"name":"u"},"rules":[{"apiGroups":[""],"resources":["endpoints",
                       "configmaps"],"verbs":["update","patch"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/namespaces/default/rolebindings",
                   binding("u", "Role", "u", "jane"))
              .status == 201);
  become(api, "jane");
  auto put = api.call("PUT", "/api/v1/namespaces/default/endpoints/e",
                      R"({"metadata":{"name":"e"},"subsets":[]})");
  CHECK(put.status == 403);
  auto apply = api.call("PATCH", "/api/v1/namespaces/default/configmaps/c?fieldManager=m",
                        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}})",
                        "application/apply-patch+yaml");
  CHECK(apply.status == 403);
  CHECK(apply.message().find("cannot create resource \"configmaps\"") != std::string::npos);
}

TEST_CASE("a WebSocket that starts a process needs the right to create") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/namespaces/default/roles",
                   role("g", R"(["get"])", R"(["pods/exec","pods/attach","pods/portforward"])"))
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/namespaces/default/rolebindings",
                   binding("g", "Role", "g", "jane"))
              .status == 201);
  become(api, "jane");
  for (const char* what : {"exec?command=sh&stdout=true", "attach?stdout=true", "portforward"}) {
    auto answer = api.call("GET", kPods + "/a/" + what);
    CHECK(answer.status == 403);
    CHECK(answer.message().find("User \"jane\" cannot create resource \"pods/") !=
          std::string::npos);
  }
}

TEST_CASE("impersonation is allowed part by part") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/clusterroles",
                   R"({"metadata":{"name":"actor"},"rules":[
      {"apiGroups":[""],"resources":["users"],"verbs":["impersonate"],"resourceNames":["joe"]},
      {"apiGroups":[""],"resources":["groups"],"verbs":["impersonate"],"resourceNames":["dev"]},
      {"apiGroups":[""],"resources":["serviceaccounts"],"verbs":["impersonate"]},
      {"apiGroups":["authentication.k8s.io"],"resources":["userextras/scopes"],
       "verbs":["impersonate"],"resourceNames":["view"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/clusterrolebindings",
                   binding("actor", "ClusterRole", "actor", "jane"))
              .status == 201);
  become(api, "jane");
  auto who = [&](std::vector<std::pair<std::string, std::string>> headers) {
    auto request = api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    return api.send(std::move(request));
  };
  auto joe = who({{"Impersonate-User", "joe"},
                  {"Impersonate-Group", "dev"},
                  {"Impersonate-Extra-Scopes", "view"}});
  REQUIRE(joe.status == 201);
  const Json answer = joe.json();
  const Json& info = answer["status"]["userInfo"];
  CHECK(info["username"].as_string() == "joe");
  CHECK(codec::write_json(info["groups"]) == R"(["dev","system:authenticated"])");
  CHECK(codec::write_json(info["extra"]) == R"({"scopes":["view"]})");
  auto robot = who({{"Impersonate-User", "system:serviceaccount:default:robot"}});
  REQUIRE(robot.status == 201);
  CHECK(codec::write_json(robot.json()["status"]["userInfo"]["groups"]) ==
        R"(["system:serviceaccounts","system:serviceaccounts:default","system:authenticated"])");
  // The sentence is of the first way that was tried.
  auto refused = who({{"Impersonate-User", "admin"}});
  CHECK(refused.message() ==
        "selfsubjectreviews.authentication.k8s.io is forbidden: User \"jane\" cannot "
        "impersonate-on:user-info:create resource \"selfsubjectreviews\" in API group "
        "\"authentication.k8s.io\" at the cluster scope");
  CHECK(who({{"Impersonate-User", "joe"}, {"Impersonate-Group", "system:masters"}}).status == 403);
  CHECK(who({{"Impersonate-User", "joe"}, {"Impersonate-Extra-Scopes", "all"}}).status == 403);
  CHECK(who({{"Impersonate-User", "joe"}, {"Impersonate-Uid", "1"}}).status == 403);
}

TEST_CASE("constrained impersonation is for named users and named requests") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/clusterroles",
                   R"({"metadata":{"name":"deputy"},"rules":[
      {"apiGroups":["authentication.k8s.io"],"resources":["users"],"resourceNames":["joe"],
       "verbs":["impersonate:user-info"]},
      {"apiGroups":["authentication.k8s.io"],"resources":["groups"],
       "verbs":["impersonate:user-info"]},
      {"apiGroups":["authentication.k8s.io"],"resources":["nodes"],"resourceNames":["n1"],
       "verbs":["impersonate:arbitrary-node"]},
      {"apiGroups":["authentication.k8s.io"],"resources":["selfsubjectreviews"],
       "verbs":["impersonate-on:user-info:create","impersonate-on:arbitrary-node:create"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/clusterrolebindings",
                   binding("deputy", "ClusterRole", "deputy", "jane"))
              .status == 201);
  become(api, "jane");
  auto act = [&](std::string method, std::string target,
                 std::vector<std::pair<std::string, std::string>> headers) {
    auto request = api.request(method, target, method == "POST" ? "{}" : "");
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    return api.send(std::move(request));
  };
  const std::string self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  auto joe = act("POST", self, {{"Impersonate-User", "joe"}, {"Impersonate-Group", "dev"}});
  REQUIRE(joe.status == 201);
  CHECK(joe.json()["status"]["userInfo"]["username"].as_string() == "joe");
  auto node = act("POST", self, {{"Impersonate-User", "system:node:n1"}});
  REQUIRE(node.status == 201);
  CHECK(codec::write_json(node.json()["status"]["userInfo"]["groups"]) ==
        R"(["system:nodes","system:authenticated"])");
  CHECK(act("POST", self, {{"Impersonate-User", "system:node:n2"}}).status == 403);
  CHECK(act("POST", self, {{"Impersonate-User", "jim"}}).message() ==
        "users.authentication.k8s.io \"jim\" is forbidden: User \"jane\" cannot "
        "impersonate:user-info resource \"users\" in API group \"authentication.k8s.io\" at the "
        "cluster scope");
  auto pods = act("GET", kPods, {{"Impersonate-User", "joe"}});
  CHECK(pods.message() ==
        "pods is forbidden: User \"jane\" cannot impersonate-on:user-info:list resource \"pods\" "
        "in API group \"\" in the namespace \"default\"");
  auto master =
      act("POST", self, {{"Impersonate-User", "joe"}, {"Impersonate-Group", "system:masters"}});
  CHECK(master.status == 403);
  CHECK(master.message().find("impersonating the system:masters group is not allowed") !=
        std::string::npos);
  CHECK(act("GET", "/version", {{"Impersonate-User", "joe"}}).message() ==
        "forbidden: User \"jane\" cannot impersonate-on:user-info:get path \"/version\"");
}

TEST_CASE("an account acts as the node that it runs on, if it may") {
  ApiFixture api;
  REQUIRE(api.call("POST", kRbac + "/clusterroles",
                   R"({"metadata":{"name":"agent"},"rules":[
      {"apiGroups":["authentication.k8s.io"],"resources":["nodes"],
       "verbs":["impersonate:associated-node"]},
      {"apiGroups":[""],"resources":["services"],
       "verbs":["impersonate-on:associated-node:list"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "/clusterrolebindings",
                   R"({"metadata":{"name":"agent"},"roleRef":{"kind":"ClusterRole","name":"agent"},
                       "subjects":[{"kind":"ServiceAccount","name":"a","namespace":"default"}]})")
              .status == 201);
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  REQUIRE(api.call("POST", accounts, R"({"metadata":{"name":"a"}})").status == 201);
  REQUIRE(api.call("POST", kPods,
                   R"({"metadata":{"name":"p"},"spec":{"nodeName":"n1","serviceAccountName":"a",
                       "containers":[{"name":"c","image":"i"}]}})")
              .status == 201);
  auto token = [&](const std::string& spec) {
    auto made = api.call("POST", accounts + "/a/token", "{\"spec\":" + spec + "}");
    REQUIRE(made.status == 201);
    return std::string(made.json()["status"]["token"].as_string());
  };
  auto act = [&](const std::string& bearer, const std::string& node) {
    http::Request request;
    request.method = "GET";
    request.target = "/api/v1/services";
    request.headers.set("Authorization", "Bearer " + bearer);
    request.headers.set("Impersonate-User", "system:node:" + node);
    return api.send(std::move(request)).status;
  };
  const auto bound = token(R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}})");
  CHECK(act(bound, "n1") == 200);
  CHECK(act(bound, "n2") == 403);
  CHECK(act(token("{}"), "n1") == 403);
}
