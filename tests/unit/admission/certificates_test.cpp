#include <skiff/admission/admission.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include <catch2/catch.hpp>

#include "support/sim_loop.h"

#include <set>

using namespace skiff;
using codec::Json;

namespace {

struct NoObjects final : auth::ObjectReader {
  api::StoredObject get(std::string_view, std::string_view, std::string_view,
                        std::string_view) const override {
    return {};
  }
  void scan(std::string_view, std::string_view, std::string_view,
            base::UniqueFunction<bool(const api::StoredObject&)>) const override {}
};

// Allows "verb signer".
struct SignerRights final : auth::Authorizer {
  std::set<std::string> allowed;
  auth::Decision authorize(const auth::Attributes& a) const override {
    CHECK(a.resource == "signers");
    CHECK(a.group == "certificates.k8s.io");
    const bool has = allowed.contains(base::concat(a.verb, " ", a.name));
    return {has ? auth::Decision::Verdict::allow : auth::Decision::Verdict::no_opinion, {}};
  }
};

struct ChainFixture {
  test::SimLoop loop;
  NoObjects objects;
  SignerRights rights;
  std::unique_ptr<base::Random> random = base::seeded_random(1);
  std::unique_ptr<admission::Chain> chain;
  auth::User user{"joe", {}, {"system:authenticated"}, {}};

  ChainFixture() {
    admission::Options options;
    options.reader = &objects;
    options.authorizer = &rights;
    options.timers = &loop;
    options.random = random.get();
    chain = admission::make_chain(options);
  }
  bool passes(admission::Operation operation, std::string_view subresource, const Json& object,
              const Json& live) {
    admission::Attributes a;
    a.operation = operation;
    a.resource = api::find_resource("certificates.k8s.io", "v1", "certificatesigningrequests");
    a.subresource = subresource;
    a.name = "a";
    a.user = &user;
    return loop.run(chain->validate(a, object, live)).is_ok();
  }
};

Json csr(std::string_view signer) {
  Json object = Json::object();
  object["spec"].set("signerName", signer);
  return object;
}

}  // namespace

TEST_CASE("approval and signing need the right on the signer or on its domain") {
  ChainFixture f;
  using enum admission::Operation;
  const Json live = csr("example.com/a");
  Json changed = live;
  changed["status"].set("certificate", "x");
  CHECK_FALSE(f.passes(update, "approval", live, live));
  CHECK_FALSE(f.passes(update, "status", changed, live));
  // Nothing that a signer writes, or another subresource.
  CHECK(f.passes(update, "status", live, live));
  CHECK(f.passes(update, "", changed, live));

  f.rights.allowed = {"approve example.com/a", "sign example.com/*"};
  CHECK(f.passes(update, "approval", live, live));
  CHECK(f.passes(update, "status", changed, live));
  // The signer that is there counts, not the one that the update names.
  CHECK_FALSE(f.passes(update, "approval", live, csr("example.org/a")));
}

TEST_CASE("a request for system:masters is refused for the API's clients alone") {
  ChainFixture f;
  auto wants_masters = [](std::string_view signer) {
    Json object = csr(signer);
    auto request = pki::make_signing_request({{"eve", {"x", "system:masters"}}, {}, {}},
                                             *pki::make_private_key());
    object["spec"].set("request", codec::base64_encode(*request));
    return object;
  };
  using enum admission::Operation;
  CHECK_FALSE(f.passes(create, "", wants_masters("kubernetes.io/kube-apiserver-client"), Json()));
  CHECK(f.passes(create, "", wants_masters("example.com/a"), Json()));
}
