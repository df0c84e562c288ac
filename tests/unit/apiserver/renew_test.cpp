// POST /skiff/v1/renew.
#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/pki/authority.h>

#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using namespace std::chrono_literals;
using codec::Json;
using test::Answer;
using test::ApiFixture;

namespace {

std::shared_ptr<const pki::Authority> new_authority() {
  auto pair = pki::make_authority("ca", base::WallTime::from_unix_seconds(1'600'000'000),
                                  std::chrono::hours(24 * 36500));
  REQUIRE(pair);
  auto opened = pki::open_authority(*pair);
  REQUIRE(opened);
  return std::move(*opened);
}

struct Board {
  std::string key_pem = *pki::make_private_key();
  std::string request_pem = *pki::make_signing_request(
      {{"system:node:eve", {"system:masters"}}, {"kubernetes"}, {}}, key_pem);
  std::string key_sha256 = pki::read_signing_request(request_pem)->public_key_fingerprint;
};

struct RenewFixture {
  std::shared_ptr<const pki::Authority> authority = new_authority();
  pki::ClusterTrust trust{authority, authority->certificate_pem()};
  ApiFixture api{nullptr, &trust};
  Board board;

  RenewFixture() {
    Json node = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}});
    node["metadata"].set("name", "n1");
    // Only the joiner writes keys; here it is a part of the process.
    auto client = api.server->loopback_client(auth::control_user("system:node-joiner"));
    node["metadata"]["annotations"].set(auth::kNodeKeyAnnotation, board.key_sha256);
    REQUIRE(api.loop.run(client->create(client::resources::nodes, "", node)).is_ok());
    be("system:node:n1", {"system:nodes"}, board.key_sha256);
  }
  void be(std::string user, std::vector<std::string> groups, std::string key_sha256) {
    api.user = std::move(user);
    api.groups = std::move(groups);
    key = std::move(key_sha256);
  }
  Answer renew(const std::string& body, const std::string& as = {}) {
    auto request = api.request("POST", "/skiff/v1/renew", body);
    request.peer.certificate_key_sha256 = key;
    if (!as.empty()) {
      request.headers.set("Impersonate-User", as);
      request.headers.set("Impersonate-Group", "system:nodes");
    }
    return api.send(std::move(request));
  }
  static std::string asking(const std::string& request_pem) {
    return codec::write_json(Json::object({{"signingRequest", request_pem}}));
  }
  std::string key;
};

}  // namespace

TEST_CASE("a node renews for its own key and name, whatever its request says") {
  RenewFixture f;
  auto answer = f.renew(RenewFixture::asking(f.board.request_pem));
  REQUIRE(answer.status == 200);
  const Json json = answer.json();
  for (auto member : {"certificate", "servingCertificate"}) {
    auto info = pki::inspect_certificate(json[member].as_string());
    REQUIRE(info);
    CHECK(info->identity.subject.common_name == "system:node:n1");
    CHECK(info->identity.subject.organizations == std::vector<std::string>{"system:nodes"});
    CHECK(info->public_key_fingerprint == f.board.key_sha256);
    CHECK(info->not_before < f.api.loop.now());
    for (const auto& name : info->identity.dns_names) CHECK(name == "n1");
  }
  CHECK(json["certificateAuthorities"].as_string() == f.trust.bundle_pem());
  CHECK_FALSE(json["time"].as_string().empty());
}

TEST_CASE("a node hears of new authorities without a request") {
  RenewFixture f;
  auto other = new_authority();
  f.trust.replace(other, other->certificate_pem() + f.authority->certificate_pem());
  auto answer = f.renew("{}");
  REQUIRE(answer.status == 200);
  CHECK(answer.json()["certificateAuthorities"].as_string() == f.trust.bundle_pem());
  CHECK(answer.json()["certificate"].is_null());
}

TEST_CASE(
    "nobody renews for another: not with another key, not as an administrator, not by acting") {
  RenewFixture f;
  const Board thief;
  auto other_key = f.renew(RenewFixture::asking(thief.request_pem));
  CHECK(other_key.status == 403);
  CHECK(other_key.message() == "the signing request is of another key than the node's");
  // A board whose place another has taken is nobody any more.
  f.be("system:node:n1", {"system:nodes"}, thief.key_sha256);
  CHECK(f.renew(RenewFixture::asking(thief.request_pem)).status == 401);
  f.be("admin", {"system:masters"}, thief.key_sha256);
  CHECK(f.renew(RenewFixture::asking(thief.request_pem)).status == 403);
  CHECK(f.renew(RenewFixture::asking(thief.request_pem), "system:node:n1").status == 403);

  f.be("system:node:gone", {"system:nodes"}, f.board.key_sha256);
  CHECK(f.renew(RenewFixture::asking(f.board.request_pem)).status >= 401);
  f.be("system:node:n1", {"system:nodes"}, f.board.key_sha256);
  CHECK(f.renew(RenewFixture::asking("nothing")).status == 400);
  CHECK(f.renew("[").status == 400);
  CHECK(f.renew(std::string(200'000, ' ')).status == 400);
}
