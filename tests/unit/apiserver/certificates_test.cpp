#include <skiff/codec/base64.h>
#include <skiff/pki/authority.h>

#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::Answer;
using test::ApiFixture;

namespace {

const std::string kPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const std::string kRbac = "/apis/rbac.authorization.k8s.io/v1/";

std::string request_text(const pki::Subject& subject = {"jane", {"developers"}}) {
  auto request = pki::make_signing_request({subject, {}, {}}, *pki::make_private_key());
  REQUIRE(request);
  return codec::base64_encode(*request);
}

std::string csr(const std::string& name, const std::string& request, const std::string& more = {},
                const std::string& signer = "example.com/people") {
  return R"({"metadata":{"name":")" + name + R"("},"spec":{"request":")" + request +
         R"(","signerName":")" + signer + R"(","usages":["client auth"])" + more + "}}";
}

Answer update(ApiFixture& api, const Json& object, const std::string& subresource) {
  return api.call(
      "PUT",
      kPath + "/" + std::string(object.at({"metadata", "name"}).as_string()) + "/" + subresource,
      codec::write_json(object));
}

Json with_condition(Json object, std::string_view type, std::string_view message = "") {
  Json& conditions = object["status"]["conditions"];
  if (!conditions.is_array()) conditions = Json::array();
  conditions.push_back(Json::object({{"type", type}, {"status", "True"}, {"message", message}}));
  return object;
}

void grant(ApiFixture& api, const std::string& user, const std::string& rules) {
  REQUIRE(api.call("POST", kRbac + "clusterroles",
                   R"({"metadata":{"name":")" + user + R"("},"rules":)" + rules + "}")
              .status == 201);
  REQUIRE(api.call("POST", kRbac + "clusterrolebindings",
                   R"({"metadata":{"name":")" + user +
                       R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
                       "kind":"ClusterRole","name":")" +
                       user + R"("},"subjects":[{"kind":"User","name":")" + user + R"("}]})")
              .status == 201);
}

}  // namespace

TEST_CASE("a signing request says who asked, and nobody can say it otherwise") {
  ApiFixture api;
  api.user = "jane";
  api.groups = {"system:masters", "developers"};
  auto made = api.call(
      "POST", kPath,
      csr("a", request_text(), R"(,"username":"root","groups":["x"],"extra":{"a":["b"]})"));
  REQUIRE(made.status == 201);
  const Json object = made.json();
  const Json& spec = object["spec"];
  CHECK(spec["username"].as_string() == "jane");
  CHECK(spec["groups"] ==
        Json::array({Json("system:masters"), Json("developers"), Json("system:authenticated")}));
  CHECK(spec["extra"]["a"].is_null());
  CHECK(object["status"].is_object());

  Json changed = object;
  changed["spec"].set("username", "root");
  changed["spec"].set("signerName", "example.com/other");
  changed["metadata"]["labels"].set("a", "b");
  changed = with_condition(changed, "Approved");
  api.user = "root";
  auto answer = api.call("PUT", kPath + "/a", codec::write_json(changed));
  REQUIRE(answer.status == 200);
  CHECK(answer.json()["spec"] == object["spec"]);
  CHECK(answer.json().at({"metadata", "labels", "a"}).as_string() == "b");
  CHECK(answer.json().at({"status", "conditions"}).empty());
}

TEST_CASE("signing requests that are none are refused in upstream's words") {
  ApiFixture api;
  auto says = [&](const std::string& body) {
    auto answer = api.call("POST", kPath, body);
    CHECK(answer.status == 422);
    return answer.message();
  };
  CHECK(says(csr("a", "aGVsbG8=")) ==
        "CertificateSigningRequest.certificates.k8s.io \"a\" is invalid: spec.request: Invalid "
        "value: \"aGVsbG8=\": PEM block type must be CERTIFICATE REQUEST");
  CHECK(says(csr("a", request_text(), R"(,"expirationSeconds":599)"))
            .find("spec.expirationSeconds: Invalid value: 599: may not specify a duration less "
                  "than 600 "
                  "seconds (10 minutes)") != std::string::npos);
  CHECK(says(csr("a", request_text(), "", "kubernetes.io/legacy-unknown"))
            .find("the legacy signerName is not allowed via this API version") !=
        std::string::npos);
  CHECK(says(csr("a", request_text(), "", "people"))
            .find("must be a fully qualified domain and path of the form "
                  "'example.com/signer-name'") != std::string::npos);
  CHECK(says(csr("a", request_text(), "", "com/people"))
            .find("should be a domain with at least two segments separated by dots") !=
        std::string::npos);
  CHECK(says(R"({"metadata":{"name":"a"},"spec":{"request":")" + request_text() +
             R"(","signerName":"a.b/c","usages":["dance","any","any"]}})")
            .find("spec.usages[0]: Unsupported value: \"dance\": supported values: \"any\", \"cert "
                  "sign\", \"client auth\"") != std::string::npos);
}

TEST_CASE("approval changes conditions alone, status the certificate alone") {
  ApiFixture api;
  REQUIRE(api.call("POST", kPath, csr("a", request_text())).status == 201);
  Json object = api.call("GET", kPath + "/a").json();

  auto early = update(api, with_condition(object, "Approved"), "status");
  CHECK(early.status == 422);
  CHECK(early.message().find("status.conditions: Forbidden: updates may not add a condition of "
                             "type \"Approved\"") != std::string::npos);
  auto approved = update(api, with_condition(object, "Approved", "by hand"), "approval");
  REQUIRE(approved.status == 200);
  object = approved.json();
  const Json& condition = object.at({"status", "conditions"}).items()[0];
  CHECK_FALSE(condition["lastUpdateTime"].as_string().empty());
  CHECK_FALSE(condition["lastTransitionTime"].as_string().empty());
  auto both = update(api, with_condition(object, "Denied"), "approval");
  CHECK(both.message().find("Approved and Denied conditions are mutually exclusive") !=
        std::string::npos);
  Json fewer = object;
  fewer["status"].erase("conditions");
  CHECK(update(api, fewer, "approval")
            .message()
            .find("updates may not remove a condition of type \"Approved\"") != std::string::npos);

  Json junk = object;
  junk["status"].set("certificate", codec::base64_encode("junk"));
  CHECK(update(api, junk, "status")
            .message()
            .find("status.certificate: Invalid value: \"<certificate data>\": must contain at "
                  "least one CERTIFICATE PEM block") != std::string::npos);
  Json with_certificate = object;
  auto authority = pki::make_authority("ca", api.loop.now(), std::chrono::hours(1));
  with_certificate["status"].set("certificate", codec::base64_encode(authority->certificate_pem));
  auto issued = update(api, with_certificate, "status");
  REQUIRE(issued.status == 200);
  CHECK(issued.json().at({"status", "conditions"}) == object.at({"status", "conditions"}));
  auto other = pki::make_authority("ca", api.loop.now(), std::chrono::hours(1));
  Json again = issued.json();
  again["status"].set("certificate", codec::base64_encode(other->certificate_pem));
  CHECK(update(api, again, "status")
            .message()
            .find("updates may not modify existing certificate content") != std::string::npos);

  auto table = api.request("GET", kPath);
  table.headers.set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
  auto row = api.send(std::move(table)).json()["rows"].items()[0]["cells"];
  CHECK(row.items()[2].as_string() == "example.com/people");
  CHECK(row.items()[3].as_string() == "admin");
  CHECK(row.items()[4].as_string() == "<none>");
  CHECK(row.items()[5].as_string() == "Approved,Issued");
  auto selected = api.call("GET", kPath + "?fieldSelector=spec.signerName%3Da.b%2Fc").json();
  CHECK(selected["items"].empty());
}

TEST_CASE("who approves or signs needs the signer, and nobody asks for system:masters") {
  ApiFixture api;
  REQUIRE(api.call("POST", kPath, csr("a", request_text())).status == 201);
  const std::string base_rules =
      R"({"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests","certificatesigningrequests/approval","certificatesigningrequests/status"],"verbs":["get","update","create"]})";
  grant(api, "jane", "[" + base_rules + "]");
  grant(api, "joe",
        "[" + base_rules +
            R"(,{"apiGroups":["certificates.k8s.io"],"resources":["signers"],)"
            R"("resourceNames":["example.com/*"],"verbs":["approve","sign"]}])");
  const Json object = api.call("GET", kPath + "/a").json();
  api.groups = {};
  api.user = "jane";
  auto refused = update(api, with_condition(object, "Approved"), "approval");
  CHECK(refused.status == 403);
  CHECK(refused.message() ==
        "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: user not permitted to "
        "approve requests with signerName \"example.com/people\"");
  auto unsigned_one = update(api, with_condition(object, "Failed"), "status");
  CHECK(unsigned_one.status == 403);
  CHECK(unsigned_one.message() ==
        "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: user not permitted to "
        "sign requests with signerName \"example.com/people\"");
  api.user = "joe";
  CHECK(update(api, with_condition(object, "Approved"), "approval").status == 200);

  const std::string client = "kubernetes.io/kube-apiserver-client";
  auto masters =
      api.call("POST", kPath, csr("m", request_text({"eve", {"system:masters"}}), "", client));
  CHECK(masters.status == 403);
  CHECK(masters.message() ==
        "certificatesigningrequests.certificates.k8s.io \"m\" is forbidden: use of "
        "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
}
