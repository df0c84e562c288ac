#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include "cluster_fixture.h"

#include "controllers/certificates/plan_approval.h"
#include "controllers/certificates/plan_signing.h"
#include "controllers/certificates/signing_requests.h"

using namespace skiff;
using namespace skiff::test;
using controllers::kSigningRequests;

namespace {

const pki::Identity kNode{{"system:node:n1", {"system:nodes"}}, {}, {}};
const std::vector<std::string> kClient{"digital signature", "client auth"};
const std::vector<std::string> kServing{"digital signature", "server auth"};

std::string request_of(const pki::Identity& identity) {
  auto request = pki::make_signing_request(identity, *pki::make_private_key());
  REQUIRE(request);
  return *request;
}

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const auto& text : list) json.push_back(text);
  return json;
}

Json csr(std::string_view name, const pki::Identity& identity, std::string_view signer,
         const std::vector<std::string>& usages, std::string_view user) {
  Json object = Json::object(
      {{"apiVersion", "certificates.k8s.io/v1"}, {"kind", "CertificateSigningRequest"}});
  object["metadata"].set("name", name);
  object.set("spec", Json::object({{"request", codec::base64_encode(request_of(identity))},
                                   {"signerName", signer},
                                   {"usages", texts(usages)},
                                   {"username", user},
                                   {"groups", texts({"system:nodes"})}}));
  return object;
}

// Allows what the set names: "user subresource".
struct CertificateFixture : ControllerFixture {
  std::set<std::string> allowed;
  CertificateFixture() {
    api.answer = [this](client::Resource resource, const Json& question) {
      if (resource.resource != "subjectaccessreviews") return Json();
      Json answer = question;
      const Json& spec = question["spec"];
      const Json& wanted = spec["resourceAttributes"];
      CHECK(wanted["verb"].as_string() == "create");
      auto key = base::concat(spec["user"].as_string(), " ", wanted["subresource"].as_string());
      answer["status"].set("allowed", allowed.contains(key));
      return answer;
    };
  }
  // With what the server knows.
  void put(Json object) {
    object["metadata"].set("creationTimestamp", base::format_rfc3339(loop.now()));
    api.put(kSigningRequests, std::move(object));
    settle();
  }
  void decide(const std::string& name, std::string_view type) {
    change(kSigningRequests, name, [&](Json& object) {
      object["status"]["conditions"].push_back(
          Json::object({{"type", type},
                        {"status", "True"},
                        {"lastUpdateTime", base::format_rfc3339(loop.now())}}));
    });
    settle();
  }
  Json condition(const std::string& name, std::string_view type) {
    return api::find_condition(live(kSigningRequests, name), type);
  }
  std::string certificate(const std::string& name) {
    auto pem = codec::base64_decode(
        live(kSigningRequests, name).at({"status", "certificate"}).as_string());
    return pem ? *pem : std::string();
  }
  bool is_there(const std::string& name) { return live(kSigningRequests, name).is_object(); }
};

Json node(std::string_view name, std::string_view address) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  object["metadata"].set("name", name);
  object["status"].set("addresses",
                       Json::array({Json::object({{"type", "InternalIP"}, {"address", address}})}));
  return object;
}

}  // namespace

TEST_CASE("a node's client request is approved after a review, and signed as it asks") {
  CertificateFixture f;
  f.allowed = {"system:node:n1 selfnodeclient"};
  f.put(csr("own", kNode, controllers::kKubeletClientSigner, kClient, "system:node:n1"));
  CHECK(f.condition("own", "Approved")["reason"].as_string() == "AutoApproved");
  CHECK(f.condition("own", "Approved")["message"].as_string() ==
        "Auto approving self kubelet client certificate after SubjectAccessReview.");
  auto info = pki::inspect_certificate(f.certificate("own"));
  REQUIRE(info);
  CHECK(info->identity.subject.common_name == "system:node:n1");
  CHECK(info->for_client);
  CHECK_FALSE(info->for_server);
  CHECK(pki::verify_certificate(f.certificate("own"), f.trust->bundle_pem(), f.loop.now()).is_ok());
}

TEST_CASE("what no review allows waits, until a binding allows it") {
  CertificateFixture f;
  f.put(csr("new", kNode, controllers::kKubeletClientSigner, kClient, "system:bootstrap:abc"));
  CHECK(f.condition("new", "Approved").is_null());
  f.allowed = {"system:bootstrap:abc nodeclient"};
  f.settle(20s);
  CHECK_FALSE(f.condition("new", "Approved").is_null());
  CHECK_FALSE(f.certificate("new").empty());
}

TEST_CASE("requests that are not a node's are for people") {
  CertificateFixture f;
  f.allowed = {"eve nodeclient", "eve selfnodeclient"};
  const pki::Identity masters{{"system:node:n1", {"system:masters"}}, {}, {}};
  const pki::Identity named{{"system:node:n1", {"system:nodes"}}, {"n1"}, {}};
  f.put(csr("masters", masters, controllers::kKubeletClientSigner, kClient, "eve"));
  f.put(csr("named", named, controllers::kKubeletClientSigner, kClient, "eve"));
  f.put(csr("usages", kNode, controllers::kKubeletClientSigner, kServing, "eve"));
  f.put(csr("signer", kNode, controllers::kApiClientSigner, kClient, "eve"));
  for (auto name : {"masters", "named", "usages", "signer"}) {
    CHECK(f.condition(name, "Approved").is_null());
    CHECK(f.certificate(name).empty());
  }
  // Approved by a person: the signer still looks, and says what it refuses.
  f.decide("masters", "Approved");
  CHECK(f.certificate("masters").empty());
  CHECK(f.condition("masters", "Failed")["reason"].as_string() == "SignerValidationFailure");
  CHECK(f.condition("masters", "Failed")["message"].as_string() ==
        "subject organization is not system:nodes");
  f.decide("signer", "Approved");
  CHECK_FALSE(f.certificate("signer").empty());
}

TEST_CASE("a node gets a serving certificate for its own name and addresses alone") {
  CertificateFixture f;
  f.api.put(resources::nodes, node("n1", "10.0.0.1"));
  f.api.put(resources::nodes, node("n2", "10.0.0.2"));
  f.settle();
  auto ask = [&](std::string_view name, std::vector<std::string> dns, std::vector<std::string> ips,
                 std::string_view user) {
    f.put(csr(name, {{"system:node:n1", {"system:nodes"}}, dns, ips},
              controllers::kKubeletServingSigner, kServing, user));
    return !f.certificate(std::string(name)).empty();
  };
  CHECK(ask("good", {"n1"}, {"10.0.0.1"}, "system:node:n1"));
  CHECK_FALSE(ask("other-user", {"n1"}, {"10.0.0.1"}, "system:node:n2"));
  CHECK_FALSE(ask("other-name", {"kubernetes"}, {"10.0.0.1"}, "system:node:n1"));
  CHECK_FALSE(ask("other-address", {"n1"}, {"10.0.0.2"}, "system:node:n1"));
  // The address of another node does not become its own because it says so.
  f.change(resources::nodes, "n1", [](Json& object) {
    object["status"]["addresses"].push_back(
        Json::object({{"type", "ExternalIP"}, {"address", "10.0.0.2"}}));
  });
  f.settle();
  CHECK_FALSE(ask("stolen", {"n1"}, {"10.0.0.2"}, "system:node:n1"));
  // Nor the address that the master has since a moment ago.
  f.master_names.ip_addresses = {"10.0.0.9"};
  f.change(resources::nodes, "n1", [](Json& object) {
    object["status"]["addresses"].push_back(
        Json::object({{"type", "ExternalIP"}, {"address", "10.0.0.9"}}));
  });
  f.settle();
  CHECK_FALSE(ask("master", {"n1"}, {"10.0.0.9"}, "system:node:n1"));
}

TEST_CASE("a life is as asked within bounds, and short ones end to the second") {
  const base::WallTime now = base::WallTime::from_unix_seconds(1'800'000'000);
  auto plan = [&](Json seconds) {
    Json object = Json::object();
    object["spec"].set("usages", texts(kClient));
    if (!seconds.is_null()) object["spec"].set("expirationSeconds", std::move(seconds));
    return controllers::plan_certificate(object, now);
  };
  CHECK(plan(Json()).not_before == now - 5min);
  CHECK(plan(Json()).not_after == now + (24h * 365 - 5min));
  CHECK(plan(Json(600)).not_after == now + 10min);
  CHECK(plan(Json(60)).not_after == now + 10min);
  CHECK(plan(Json(3600 * 8)).not_after == now + (8h - 5min));
  CHECK(plan(Json(2'000'000'000)).not_after == now + (24h * 365 - 5min));
  CHECK(controllers::why_no_api_client(texts({"client auth", "any"})) ==
        "invalid usage for client certificate: any");
  CHECK(controllers::why_no_api_client(texts({"digital signature"})) ==
        "missing required usage for client certificate: client auth");
}

TEST_CASE("requests go an hour after they were decided, a day after they were made") {
  CertificateFixture f;
  f.allowed = {"system:node:n1 selfnodeclient"};
  f.put(csr("signed", kNode, controllers::kKubeletClientSigner, kClient, "system:node:n1"));
  f.change(kSigningRequests, "signed", [&](Json& object) {
    for (Json& each : object["status"]["conditions"].mutable_items())
      each.set("lastUpdateTime", base::format_rfc3339(f.loop.now()));
  });
  f.put(csr("denied", kNode, controllers::kApiClientSigner, kClient, "eve"));
  f.put(csr("pending", kNode, controllers::kApiClientSigner, kClient, "eve"));
  f.decide("denied", "Denied");
  f.loop.advance(59min);
  f.settle();
  CHECK(f.is_there("signed"));
  CHECK(f.is_there("denied"));
  f.loop.advance(2min);
  f.settle();
  CHECK_FALSE(f.is_there("signed"));
  CHECK_FALSE(f.is_there("denied"));
  CHECK(f.is_there("pending"));
  // A clock that is set forward ends nothing at once.
  f.loop.jump_wall_clock(24h * 20'000);
  f.change(kSigningRequests, "pending",
           [](Json& object) { object["metadata"]["labels"].set("a", "b"); });
  f.settle();
  CHECK(f.is_there("pending"));
  f.loop.advance(23h);
  f.settle();
  CHECK_FALSE(f.is_there("pending"));
}

TEST_CASE("kube-root-ca.crt follows the trust of the cluster") {
  ControllerFixture f;
  auto shown = [&] {
    return std::string(f.live(resources::config_maps, "default/kube-root-ca.crt")
                           .at({"data", "ca.crt"})
                           .as_string());
  };
  CHECK(shown() == f.trust->bundle_pem());
  const auto other = make_trust(f.loop.now());
  f.trust->replace(other->signer(), other->bundle_pem() + f.trust->bundle_pem());
  f.settle(20s);
  CHECK(shown() == f.trust->bundle_pem());
  CHECK(shown().find(other->bundle_pem()) == 0);
}
