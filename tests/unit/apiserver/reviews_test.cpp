#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

namespace {

const std::string kAuthorization = "/apis/authorization.k8s.io/v1";

void let_jane_view(ApiFixture& api) {
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1";
  REQUIRE(api.call("POST", rbac + "/namespaces/default/roles",
                   R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["pods"],
                       "verbs":["get"],"resourceNames":["a"]}]})")
              .status == 201);
  REQUIRE(api.call("POST", rbac + "/namespaces/default/rolebindings",
                   R"({"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"r"},
                       "subjects":[{"kind":"User","name":"jane"}]})")
              .status == 201);
}

}  // namespace

TEST_CASE("a SubjectAccessReview answers for somebody else, with the reason") {
  ApiFixture api;
  let_jane_view(api);
  auto ask = [&](const std::string& spec) {
    return api.call("POST", kAuthorization + "/subjectaccessreviews", "{\"spec\":" + spec + "}");
  };
  auto yes = ask(R"({"user":"jane","resourceAttributes":{"verb":"get","resource":"pods",
                     "namespace":"default","name":"a"}})");
  CHECK(yes.status == 201);
  CHECK(codec::write_json(yes.json()["status"]) ==
        R"({"allowed":true,"reason":"RBAC: allowed by RoleBinding \"b/default\" of Role \"r\" to )"
        R"(User \"jane\""})");
  CHECK(yes.json()["kind"].as_string() == "SubjectAccessReview");
  auto no = ask(R"({"user":"jane","resourceAttributes":{"verb":"get","resource":"pods",
                    "namespace":"default","name":"b"}})");
  CHECK(codec::write_json(no.json()["status"]) == R"({"allowed":false})");
  auto group = ask(R"({"groups":["system:masters"],"nonResourceAttributes":{"verb":"get",
                       "path":"/secret"}})");
  CHECK(group.json()["status"]["allowed"].as_bool());
  CHECK(ask(R"({"user":"jane"})").message() ==
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: "
        "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be "
        "specified");
  CHECK(ask(R"({"nonResourceAttributes":{"path":"/"}})").message() ==
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": "
        "at least one of user or group must be specified");
  api.user = "jane";
  api.groups.clear();
  CHECK(ask(R"({"user":"jane","nonResourceAttributes":{"path":"/"}})").status == 403);
}

TEST_CASE("a LocalSubjectAccessReview is about its own namespace") {
  ApiFixture api;
  let_jane_view(api);
  auto ask = [&](const std::string& attributes) {
    return api.call("POST", kAuthorization + "/namespaces/default/localsubjectaccessreviews",
                    R"({"spec":{"user":"jane",)" + attributes + "}}");
  };
  CHECK(ask(R"("resourceAttributes":{"verb":"get","resource":"pods","namespace":"default",
               "name":"a"})")
            .json()["status"]["allowed"]
            .as_bool());
  CHECK(ask(R"("resourceAttributes":{"verb":"get","resource":"pods","namespace":"other"})")
            .message() ==
        "LocalSubjectAccessReview.authorization.k8s.io \"\" is invalid: "
        "spec.resourceAttributes.namespace: Invalid value: \"other\": must match "
        "metadata.namespace");
  CHECK(ask(R"("nonResourceAttributes":{"path":"/"})").status == 422);
}

TEST_CASE("everybody asks for themselves: access, rules, who they are") {
  ApiFixture api;
  let_jane_view(api);
  api.user = "jane";
  api.groups = {"dev"};
  auto own = api.call("POST", kAuthorization + "/selfsubjectaccessreviews",
                      R"({"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}})");
  CHECK(own.status == 201);
  CHECK(codec::write_json(own.json()["status"]) == R"({"allowed":false})");
  auto rules = api.call("POST", kAuthorization + "/selfsubjectrulesreviews",
                        R"({"spec":{"namespace":"default"}})");
  CHECK(rules.status == 201);
  const Json tree = rules.json();
  const Json& status = tree["status"];
  CHECK_FALSE(status["incomplete"].as_bool(true));
  bool found = false;
  for (const auto& rule : status["resourceRules"].items()) {
    found = found || codec::write_json(rule) ==
                         R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"],)"
                         R"("resourceNames":["a"]})";
  }
  CHECK(found);
  CHECK(status["nonResourceRules"].size() == 2);
  CHECK(api.call("POST", kAuthorization + "/selfsubjectrulesreviews", R"({"spec":{}})").status ==
        400);
  auto self = api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  CHECK(self.status == 201);
  CHECK(self.json()["status"]["userInfo"]["username"].as_string() == "jane");
  CHECK(api.call("GET", kAuthorization + "/selfsubjectaccessreviews").status != 200);
}

TEST_CASE("the in-process client reviews too") {
  ApiFixture api;
  auto client = api.server->loopback_client({"jane", {}, {"system:authenticated"}, {}});
  auto self = api.loop.run(client->create({"authentication.k8s.io", "v1", "selfsubjectreviews"}, "",
                                          Json::object(), {}, {}));
  REQUIRE(self.is_ok());
  CHECK((*self)["status"]["userInfo"]["username"].as_string() == "jane");
}
