// TokenRequest, TokenReview and OpenID discovery.
#include <catch2/catch.hpp>

#include <skiff/codec/base64.h>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;

namespace {

const std::string kIssuer = "https://kubernetes.default.svc.cluster.local";

struct TokenApi : ApiFixture {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  TokenApi() {
    for (const char* name : {"robot", "default"}) make("serviceaccounts", name, "");
    make("secrets", "s", "");
    make("pods", "p", R"(,"spec":{"serviceAccountName":"robot","nodeName":"n1","containers":[
        {"name":"c","image":"i"}]})");
    REQUIRE(call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status == 201);
  }
  void make(const std::string& resource, const std::string& name, const std::string& rest) {
    auto made = call("POST", "/api/v1/namespaces/default/" + resource,
                     R"({"metadata":{"name":")" + name + "\"}" + rest + "}");
    INFO(made.body);
    REQUIRE(made.status == 201);
  }
  std::string uid(const std::string& path) {
    return std::string(call("GET", path).json()["metadata"]["uid"].as_string());
  }
  test::Answer ask(const std::string& spec, const std::string& metadata = "{}") {
    return call("POST", accounts + "/robot/token",
                R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":)" +
                    metadata + R"(,"spec":)" + spec + "}");
  }
  std::string token(const std::string& spec) {
    auto answer = ask(spec);
    INFO(answer.body);
    REQUIRE(answer.status == 201);
    return std::string(answer.json()["status"]["token"].as_string());
  }
  static Json claims(const std::string& token) {
    auto first = token.find('.') + 1;
    auto bytes = codec::base64url_decode(token.substr(first, token.rfind('.') - first));
    return *codec::parse_json(*bytes);
  }
  test::Answer review(const std::string& token, const std::string& audiences = "[]") {
    return call("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                R"({"spec":{"token":")" + token + R"(","audiences":)" + audiences + "}}");
  }
  int get_as(const std::string& token, const std::string& path) {
    http::Request request;
    request.method = "GET";
    request.target = path;
    request.headers.set("Authorization", "Bearer " + token);
    return send(std::move(request)).status;
  }
};

}  // namespace

TEST_CASE("a token request is completed and answered") {
  TokenApi api;
  auto answer = api.ask("{}").json();
  CHECK(answer["metadata"]["name"].as_string() == "robot");
  CHECK(answer["metadata"]["namespace"].as_string() == "default");
  CHECK(answer["metadata"]["uid"].as_string() == api.uid(api.accounts + "/robot"));
  CHECK(answer["spec"]["expirationSeconds"].as_int() == 3600);
  CHECK(codec::write_json(answer["spec"]["audiences"]) == "[\"" + kIssuer + "\"]");
  CHECK(answer["status"]["expirationTimestamp"].as_string() ==
        base::format_rfc3339(api.loop.now() + std::chrono::hours(1)));
}

TEST_CASE("a token request that asks for what cannot be is refused in upstream's words") {
  TokenApi api;
  const std::string invalid = "TokenRequest.authentication.k8s.io \"\" is invalid: ";
  auto check = [](const test::Answer& answer, int status, const std::string& reason,
                  const std::string& message) {
    CHECK(answer.status == status);
    CHECK(answer.reason() == reason);
    CHECK(answer.message() == message);
  };
  check(api.ask(R"({"expirationSeconds":599})"), 422, "Invalid",
        invalid +
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less "
            "than 10 minutes");
  check(api.ask(R"({"expirationSeconds":4294967297})"), 422, "Invalid",
        invalid +
            "spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration "
            "larger than 2^32 seconds");
  CHECK(api.ask(R"({"expirationSeconds":4294967296})").status == 201);
  check(api.ask("{}", R"({"name":"other"})"), 422, "Invalid",
        "TokenRequest.authentication.k8s.io \"robot\" is invalid: metadata.name: Invalid value: "
        "\"other\": must match the service account name if specified");
  check(api.ask("{}", R"({"uid":"x"})"), 409, "Conflict",
        "Operation cannot be fulfilled on TokenRequest.authentication.k8s.io \"robot\": the UID in "
        "the token request (x) does not match the UID of the service account (" +
            api.uid(api.accounts + "/robot") + ")");
  auto bound = [&](const std::string& reference) {
    return api.ask(R"({"boundObjectRef":)" + reference + "}");
  };
  check(bound(R"({"kind":"Pod","apiVersion":"v1","name":"absent"})"), 404, "NotFound",
        "pods \"absent\" not found");
  check(bound(R"({"kind":"Node","apiVersion":"v1","name":"absent"})"), 404, "NotFound",
        "nodes \"absent\" not found");
  check(bound(R"({"kind":"Secret","apiVersion":"v1","name":"s","uid":"x"})"), 409, "Conflict",
        "Operation cannot be fulfilled on Secret \"s\": the UID in the bound object reference (x) "
        "does not match the UID in record. The object might have been deleted and then recreated");
  check(bound(R"({"kind":"ConfigMap","apiVersion":"v1","name":"s"})"), 400, "BadRequest",
        "cannot bind token to object of type /v1, Kind=ConfigMap");
  check(bound(R"({"kind":"Pod","apiVersion":"apps/v1","name":"p"})"), 400, "BadRequest",
        "cannot bind token to object of type apps/v1, Kind=Pod");
  api.make("pods", "q", R"(,"spec":{"containers":[{"name":"c","image":"i"}]})");
  check(bound(R"({"kind":"Pod","apiVersion":"v1","name":"q"})"), 400, "BadRequest",
        "cannot bind token for serviceaccount \"robot\" to pod running with different "
        "serviceaccount name.");
  check(api.call("POST", api.accounts + "/absent/token", R"({"spec":{}})"), 404, "NotFound",
        "serviceaccounts \"absent\" not found");
}

TEST_CASE("bound tokens name what they are bound to and go with it") {
  TokenApi api;
  const auto pod_uid = api.uid("/api/v1/namespaces/default/pods/p");
  const auto node_uid = api.uid("/api/v1/nodes/n1");
  const auto by_pod =
      api.token(R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}})");
  const auto by_node = api.token(R"({"boundObjectRef":{"kind":"Node","name":"n1"}})");
  const auto by_secret = api.token(R"({"boundObjectRef":{"kind":"Secret","name":"s"}})");
  const Json kubernetes = api.claims(by_pod)["kubernetes.io"];
  CHECK(kubernetes["pod"]["uid"].as_string() == pod_uid);
  CHECK(kubernetes["node"]["name"].as_string() == "n1");
  CHECK(kubernetes["node"]["uid"].as_string() == node_uid);
  CHECK(kubernetes["warnafter"].is_null());
  for (const auto& token : {by_pod, by_node, by_secret}) CHECK(api.get_as(token, "/api") == 200);
  CHECK(api.call("DELETE", "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0").status == 200);
  CHECK(api.get_as(by_pod, "/api") == 401);
  CHECK(api.call("DELETE", "/api/v1/nodes/n1").status == 200);
  CHECK(api.get_as(by_node, "/api") == 401);
  CHECK(api.call("DELETE", "/api/v1/namespaces/default/secrets/s").status == 200);
  CHECK(api.get_as(by_secret, "/api") == 401);
}

TEST_CASE("only the default volume's token of a pod lives for a year") {
  TokenApi api;
  const std::string pod = R"("boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"})";
  auto life = [&](const std::string& spec) {
    const Json claims = api.claims(api.token(spec));
    return claims["exp"].as_int() - claims["iat"].as_int();
  };
  auto extended = api.ask(R"({"expirationSeconds":3607,)" + pod + "}").json();
  const Json claims = api.claims(std::string(extended["status"]["token"].as_string()));
  CHECK(claims["exp"].as_int() - claims["iat"].as_int() == 24 * 365 * 3600);
  CHECK(claims["kubernetes.io"]["warnafter"].as_int() - claims["iat"].as_int() == 3607);
  // The client is to come back after the time that it asked for.
  CHECK(extended["status"]["expirationTimestamp"].as_string() ==
        base::format_rfc3339(api.loop.now() + std::chrono::seconds(3607)));
  CHECK(extended["spec"]["expirationSeconds"].as_int() == 3607);
  CHECK(life(R"({"expirationSeconds":3607})") == 3607);
  CHECK(life(R"({"expirationSeconds":3606,)" + pod + "}") == 3606);
  CHECK(life(R"({"expirationSeconds":3607,"audiences":["vault"],)" + pod + "}") == 3607);
  CHECK(life(R"({"expirationSeconds":3607,"audiences":["vault",")" + kIssuer + "\"]," + pod +
             "}") == 3607);
}

TEST_CASE("a token review says whose a token is and for whom") {
  TokenApi api;
  const auto token = api.token(R"({"audiences":["vault","billing"]})");
  auto here = api.review(token).json()["status"];
  CHECK(here["authenticated"].is_null());
  CHECK(codec::write_json(here["user"]) == "{}");
  CHECK(here["error"].as_string() ==
        "[invalid bearer token, token audiences [\"vault\" \"billing\"] is invalid for the target "
        "audiences [\"" +
            kIssuer + "\"]]");
  auto there = api.review(token, R"(["billing","x"])");
  CHECK(there.status == 201);
  const Json status = there.json()["status"];
  CHECK(status["authenticated"].as_bool());
  CHECK(codec::write_json(status["audiences"]) == "[\"billing\"]");
  CHECK(status["user"]["username"].as_string() == "system:serviceaccount:default:robot");
  CHECK(codec::write_json(status["user"]["groups"]) ==
        R"(["system:serviceaccounts","system:serviceaccounts:default","system:authenticated"])");
  CHECK(status["user"]["extra"]["authentication.kubernetes.io/credential-id"].size() == 1);
  CHECK(codec::write_json(api.review(api.token("{}")).json()["status"]["audiences"]) ==
        "[\"" + kIssuer + "\"]");
  CHECK(api.review("nonsense").json()["status"]["error"].as_string() == "invalid bearer token");
  auto empty = api.review("");
  CHECK(empty.status == 400);
  CHECK(empty.message() == "token is required for TokenReview in authentication");
}

TEST_CASE("a bootstrap token is somebody with no rights, for a review too") {
  TokenApi api;
  auto made = api.call("POST", "/api/v1/namespaces/kube-system/secrets",
                       R"({"metadata":{"name":"bootstrap-token-abc123"},
      "type":"bootstrap.kubernetes.io/token","stringData":{"token-id":"abc123",
      "token-secret":"0123456789abcdef","usage-bootstrap-authentication":"true"}})");
  REQUIRE(made.status == 201);
  const std::string token = "abc123.0123456789abcdef";
  CHECK(api.get_as(token, "/api") == 200);
  CHECK(api.get_as(token, "/api/v1/nodes") == 403);
  auto status = api.review(token).json()["status"];
  CHECK(codec::write_json(status["user"]) ==
        R"({"username":"system:bootstrap:abc123","groups":["system:bootstrappers",)"
        R"("system:authenticated"]})");
  CHECK(api.review(token, R"(["vault"])").json()["status"]["authenticated"].is_null());
}

TEST_CASE("the keys of tokens are published for those who check them elsewhere") {
  TokenApi api;
  auto configuration = api.call("GET", "/.well-known/openid-configuration");
  CHECK(configuration.status == 200);
  CHECK(configuration.headers.get("Content-Type") == "application/json");
  CHECK(configuration.headers.get("Cache-Control") == "public, max-age=3600");
  CHECK(configuration.body ==
        R"({"issuer":")" + kIssuer +
            R"(","jwks_uri":"https://192.0.2.1:6443/openid/v1/jwks",)"
            R"("response_types_supported":["id_token"],"subject_types_supported":["public"],)"
            R"("id_token_signing_alg_values_supported":["ES256"]})");
  auto keys = api.call("GET", "/openid/v1/jwks");
  CHECK(keys.headers.get("Content-Type") == "application/jwk-set+json");
  CHECK(keys.headers.get("Cache-Control") == "public, max-age=3600");
  CHECK(keys.json()["keys"].size() == 1);
  // For accounts, not for everybody.
  const auto token = api.token("{}");
  CHECK(api.get_as(token, "/openid/v1/jwks") == 200);
  api.user.clear();
  api.groups.clear();
  CHECK(api.call("GET", "/openid/v1/jwks").status != 200);
  api.user = "jane";
  CHECK(api.call("GET", "/openid/v1/jwks").status == 403);
}

TEST_CASE("the use of a Secret's token is noted once a day") {
  TokenApi api;
  auto secret = api.call("POST", "/api/v1/namespaces/default/secrets",
                         R"({"metadata":{"name":"t","annotations":{
      "kubernetes.io/service-account.name":"robot"}},"type":"kubernetes.io/service-account-token"})");
  REQUIRE(secret.status == 201);
  auto token = api.server->service_account_tokens().issue_legacy(
      {"default", "t", "robot", api.uid(api.accounts + "/robot")});
  REQUIRE(token.is_ok());
  const std::string path = "/api/v1/namespaces/default/secrets/t";
  REQUIRE(api.call("PATCH", path, R"({"data":{"token":")" + codec::base64_encode(*token) + "\"}}",
                   "application/merge-patch+json")
              .status == 200);
  base::TaskScope scope(api.loop);
  scope.spawn(api.server->run(scope.token()));
  CHECK(api.get_as(*token, "/api") == 200);
  api.loop.advance(std::chrono::seconds(1));
  auto label = [&] {
    return std::string(api.call("GET", path)
                           .json()["metadata"]["labels"]["kubernetes.io/legacy-token-last-used"]
                           .as_string());
  };
  CHECK(label() == base::format_rfc3339(api.loop.now()).substr(0, 10));
  const auto before = api.hub_->snapshot().revision();
  CHECK(api.get_as(*token, "/api") == 200);
  api.loop.advance(std::chrono::seconds(1));
  CHECK(api.hub_->snapshot().revision() == before);
  scope.cancel();
  api.loop.run(scope.join());
}
