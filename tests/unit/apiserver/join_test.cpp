// POST /skiff/v1/join and GET /skiff/v1/ca, against a whole API server on virtual time.
#include <skiff/auth/join_proof.h>
#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

#include "apiserver/join/failure_limit.h"
#include "apiserver/join/join_request.h"
#include "apiserver/limits.h"
#include "unit/apiserver/fixture.h"

#include <catch2/catch.hpp>

using namespace skiff;
using codec::Json;

namespace {

const base::WallTime kStart = base::WallTime::from_unix_seconds(1'700'000'000);

std::unique_ptr<pki::ClusterTrust> make_trust() {
  auto pair = pki::make_authority("skiff-ca", kStart, std::chrono::hours(24 * 3650));
  REQUIRE(pair);
  auto authority = pki::open_authority(*pair);
  REQUIRE(authority);
  return std::make_unique<pki::ClusterTrust>(std::move(*authority), pair->certificate_pem);
}

// A board with a key of its own.
struct Board {
  explicit Board(std::string wanted) : name(std::move(wanted)) {
    auto made = pki::make_private_key();
    REQUIRE(made);
    key_pem = *made;
    auto request = pki::make_signing_request({{"whoever", {"system:masters"}}, {}, {}}, key_pem);
    REQUIRE(request);
    signing_request = *request;
    key_sha256 = *pki::key_fingerprint(key_pem);
  }
  std::string name, key_pem, signing_request, key_sha256;
};

struct Fixture {
  std::unique_ptr<pki::ClusterTrust> trust = make_trust();
  test::ApiFixture api{nullptr, trust.get()};

  auth::JoinToken make_token(std::optional<std::int64_t> uses = {}, std::string node_name = {},
                             base::Duration ttl = std::chrono::hours(24), bool is_proved = false,
                             bool is_dated = false) {
    auto token = auth::make_join_token(std::string(64, 'a'));
    auth::JoinTokenRecord record;
    record.id = token.id;
    record.secret_sha256 = pki::sha256_hex(token.secret);
    if (is_proved) record.proof_key = auth::join_proof_key(token.secret);
    if (is_dated) record.issued = api.loop.now();
    record.expires = api.loop.now() + ttl;
    record.uses_left = uses;
    record.node_name = std::move(node_name);
    auto made = api.call("POST", "/api/v1/namespaces/kube-system/secrets",
                         codec::write_json(auth::join_token_secret(record)));
    REQUIRE(made.status == 201);
    return token;
  }
  // Nobody in particular, as a board is.
  test::Answer ask(std::string method, std::string path, std::string body = {},
                   std::string from = "192.0.2.7:4711") {
    auto request = api.request(std::move(method), std::move(path), std::move(body));
    request.peer = {};
    request.peer.address = std::move(from);
    return api.send(std::move(request));
  }
  test::Answer join(const Board& board, const auth::JoinToken* token, bool replace = false,
                    std::string from = "192.0.2.7:4711") {
    Json body = Json::object({{"nodeName", board.name},
                              {"signingRequest", board.signing_request},
                              {"replace", replace}});
    if (token != nullptr) {
      body.set("tokenID", token->id);
      body.set("tokenSecret", token->secret);
    }
    return ask("POST", "/skiff/v1/join", codec::write_json(body), std::move(from));
  }
  std::string key_of(const std::string& node) {
    auto answer = api.call("GET", "/api/v1/nodes/" + node);
    return std::string(api::annotation(answer.json(), auth::kNodeKeyAnnotation));
  }
};

}  // namespace

TEST_CASE("anybody reads the authorities") {
  Fixture f;
  auto answer = f.ask("GET", "/skiff/v1/ca");
  REQUIRE(answer.status == 200);
  CHECK(answer.json()["certificateAuthorities"].as_string() == f.trust->bundle_pem());
  CHECK(base::parse_rfc3339(answer.json()["time"].as_string()));
}

TEST_CASE("a master proves itself to a board that proves itself, on this connection alone") {
  Fixture f;
  auto token = f.make_token({}, {}, std::chrono::hours(24), true);
  const auto key = auth::join_proof_key(token.secret);
  http::ChannelBinding channel{1, 2, 3}, other{4, 5, 6};
  auto text = [](const http::ChannelBinding& binding) {
    return std::string(binding.begin(), binding.end());
  };
  auto prove = [&](const std::string& id, const std::string& proof,
                   std::optional<http::ChannelBinding> binding) {
    Json body = Json::object({{"tokenID", id}, {"proof", proof}});
    auto request = f.api.request("POST", "/skiff/v1/ca", codec::write_json(body));
    request.peer = {};
    request.peer.address = "192.0.2.8:1";
    request.peer.channel_binding = binding;
    return f.api.send(std::move(request));
  };
  const auto proof = auth::join_proof_of_board(key, text(channel));
  auto answer = prove(token.id, proof, channel);
  REQUIRE(answer.status == 200);
  const std::string authorities(answer.json()["certificateAuthorities"].as_string());
  CHECK(authorities == f.trust->bundle_pem());
  CHECK(answer.json()["proof"].as_string() ==
        auth::join_proof_of_master(key, text(channel), authorities));

  CHECK(prove(token.id, proof, other).status == 403);
  CHECK(prove(token.id, auth::join_proof_of_board(key, ""), {}).status == 403);
  CHECK(prove("absent", proof, channel).status == 403);
  auto with_hash = f.make_token();
  const auto guessed =
      auth::join_proof_of_board(auth::join_proof_key(with_hash.secret), text(channel));
  CHECK(prove(with_hash.id, guessed, channel).status == 403);
  CHECK(prove(token.id, "short", channel).status == 400);
  for (int i = 0; i < 5; ++i) prove(token.id, std::string(64, 'a'), channel);
  CHECK(prove(token.id, proof, channel).status == 429);
  CHECK(f.ask("POST", "/skiff/v1/ca", "[]").status == 400);
}

TEST_CASE("a server that signs for nobody has neither path") {
  test::ApiFixture api;
  CHECK(api.call("GET", "/skiff/v1/ca").status == 404);
  CHECK(api.call("POST", "/skiff/v1/ca", "{}").status == 404);
  CHECK(api.call("POST", "/skiff/v1/join", "{}").status == 404);
}

TEST_CASE("a board with a token becomes the node that it names and nothing else") {
  Fixture f;
  auto token = f.make_token();
  Board board("n1");
  auto answer = f.join(board, &token);
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  auto json = answer.json();
  const std::string certificate(json["certificate"].as_string());
  auto client = pki::inspect_certificate(certificate);
  REQUIRE(client);
  CHECK(client->identity.subject.common_name == "system:node:n1");
  CHECK(client->identity.subject.organizations == std::vector<std::string>{"system:nodes"});
  CHECK(client->for_client);
  CHECK_FALSE(client->for_server);
  CHECK(client->not_before < f.api.loop.now());
  CHECK(*pki::certificate_matches_key(certificate, board.key_pem));
  CHECK(pki::verify_certificate(certificate, f.trust->bundle_pem(), f.api.loop.now()).is_ok());
  auto serving = pki::inspect_certificate(json["servingCertificate"].as_string());
  REQUIRE(serving);
  CHECK(serving->identity.dns_names == std::vector<std::string>{"n1"});
  CHECK(serving->identity.ip_addresses.empty());
  CHECK_FALSE(serving->for_client);
  CHECK(json["clusterCIDR"].as_string() == "10.42.0.0/16");
  CHECK(json["serviceCIDR"].as_string() == "10.43.0.0/16");
  CHECK(json["clusterDNS"].as_string() == "10.43.0.10");
  CHECK(json["clusterDomain"].as_string() == "cluster.local");
  CHECK(f.key_of("n1") == board.key_sha256);
}

TEST_CASE("taints of a new node are set by the master") {
  Fixture f;
  auto token = f.make_token();
  Board board("n1");
  Json body = Json::object({{"nodeName", "n1"},
                            {"signingRequest", board.signing_request},
                            {"tokenID", token.id},
                            {"tokenSecret", token.secret}});
  body.set("taints", Json::array({Json::object({{"key", "a"}, {"effect", "NoSchedule"}})}));
  REQUIRE(f.ask("POST", "/skiff/v1/join", codec::write_json(body)).status == 200);
  auto node = f.api.call("GET", "/api/v1/nodes/n1").json();
  bool found = false;
  for (const auto& taint : node["spec"]["taints"].items()) found |= taint["key"].as_string() == "a";
  CHECK(found);
}

TEST_CASE("a token for one board lets one in, also when many ask at once") {
  Fixture f;
  auto token = f.make_token(1);
  std::vector<Board> boards;
  for (int i = 0; i < 6; ++i) boards.emplace_back("n" + std::to_string(i));
  std::vector<int> codes;
  auto one = [](Fixture* f, const Board* board, const auth::JoinToken* token,
                std::vector<int>* codes) -> base::Task<void> {
    Json body = Json::object({{"nodeName", board->name},
                              {"signingRequest", board->signing_request},
                              {"tokenID", token->id},
                              {"tokenSecret", token->secret}});
    auto request = f->api.request("POST", "/skiff/v1/join", codec::write_json(body));
    request.peer = {};
    request.peer.address = "192.0.2.9:1";
    auto response = co_await f->api.server->handler().handle(std::move(request));
    codes->push_back(response.status);
  };
  for (const auto& board : boards)
    base::spawn_detached(f.api.loop, one(&f, &board, &token, &codes));
  while (codes.size() < boards.size()) REQUIRE(f.api.loop.step());
  CHECK(std::count(codes.begin(), codes.end(), 200) == 1);
  CHECK(std::count(codes.begin(), codes.end(), 403) == 5);
}

TEST_CASE("a board that lost the answer asks again with a token that is used up") {
  Fixture f;
  auto token = f.make_token(1);
  Board board("n1"), other("n2");
  REQUIRE(f.join(board, &token).status == 200);
  CHECK(f.join(board, &token).status == 200);
  // Also when its Node went in between.
  REQUIRE(f.api.call("DELETE", "/api/v1/nodes/n1").status == 200);
  CHECK(f.join(board, &token).status == 200);
  auto refused = f.join(other, &token);
  CHECK(refused.status == 403);
  CHECK(refused.message().find("is used up") != std::string::npos);
}

TEST_CASE("each wrong token has its sentence") {
  Fixture f;
  Board board("n1");
  auto says = [&](const auth::JoinToken& token, std::string_view words) {
    auto answer = f.join(board, &token);
    CHECK(answer.status == 403);
    INFO(answer.message());
    CHECK(answer.message().find(words) != std::string::npos);
    CHECK(answer.body.find(token.secret) == std::string::npos);
  };
  auto unknown = auth::make_join_token(std::string(64, 'a'));
  says(unknown, "is not known");
  auto guessed = f.make_token();
  guessed.secret = auth::make_join_secret();
  says(guessed, "is not known");
  auto bound = f.make_token({}, "n2");
  says(bound, "for the node \"n2\" only");
  auto old = f.make_token({}, {}, std::chrono::hours(1));
  f.api.loop.jump_wall_clock(std::chrono::hours(2));
  says(old, "has expired");
  CHECK(f.api.call("GET", "/api/v1/nodes/n1").status == 404);
}

TEST_CASE("a clock that jumps ends no token and lengthens none") {
  const auto jump = GENERATE(base::Duration(std::chrono::hours(24 * 3650)),
                             base::Duration(std::chrono::hours(-24 * 365 * 50)));
  Fixture f;
  base::CancelSource stop;
  base::spawn_detached(f.api.loop, f.api.server->run(stop.token()));
  auto token = f.make_token({}, {}, std::chrono::hours(24), false, true);
  f.api.loop.advance(std::chrono::hours(1));
  f.api.loop.jump_wall_clock(jump);
  CHECK(f.join(Board("n1"), &token).status == 200);
  f.api.loop.advance(std::chrono::hours(22));
  CHECK(f.join(Board("n2"), &token).status == 200);
  f.api.loop.advance(std::chrono::hours(1) + std::chrono::minutes(1));
  auto late = f.join(Board("n3"), &token);
  CHECK(late.status == 403);
  CHECK(late.message().find("has expired") != std::string::npos);
  stop.cancel();
  f.api.loop.run_ready();
}

TEST_CASE("a name that another board has is given only with a token for it") {
  Fixture f;
  auto token = f.make_token(), for_name = f.make_token({}, "n1");
  Board first("n1"), second("n1");
  REQUIRE(f.join(first, &token).status == 200);
  auto refused = f.join(second, &token);
  CHECK(refused.status == 409);
  CHECK(refused.message().find("skiff token create --node-name n1") != std::string::npos);
  CHECK(f.join(second, &token, true).status == 403);
  CHECK(f.key_of("n1") == first.key_sha256);
  CHECK(f.join(second, &for_name).status == 409);
  CHECK(f.join(second, &for_name, true).status == 200);
  CHECK(f.key_of("n1") == second.key_sha256);
  // The board of before is nobody now.
  CHECK(f.join(first, nullptr).status == 403);
}

TEST_CASE("a known key comes back without a token, others do not") {
  Fixture f;
  auto token = f.make_token(1);
  Board board("n1"), other("n1");
  REQUIRE(f.join(board, &token).status == 200);
  f.api.loop.jump_wall_clock(std::chrono::hours(24 * 800));
  auto back = f.join(board, nullptr);
  REQUIRE(back.status == 200);
  // Of now, and for that key alone: who has only seen the request gains nothing by repeating it.
  auto info = pki::inspect_certificate(back.json()["certificate"].as_string());
  REQUIRE(info);
  CHECK(info->not_after > f.api.loop.now());
  CHECK(info->public_key_fingerprint == board.key_sha256);
  CHECK(f.join(other, nullptr).status == 403);
  Board elsewhere = board;
  elsewhere.name = "n2";
  CHECK(f.join(elsewhere, nullptr).status == 403);
  // A Node that was deleted is to stay away.
  REQUIRE(f.api.call("DELETE", "/api/v1/nodes/n1").status == 200);
  auto gone = f.join(board, nullptr);
  CHECK(gone.status == 403);
  CHECK(gone.message().find("not in the cluster any more") != std::string::npos);
}

TEST_CASE("a certificate is good as long as its key is the node's") {
  Fixture f;
  auto token = f.make_token(), for_name = f.make_token({}, "n1");
  Board first("n1"), second("n1");
  auto as = [&](const Board& board, std::string method, std::string path, std::string body = {},
                std::string type = "application/json") {
    auto request = f.api.request(std::move(method), std::move(path), std::move(body), type);
    request.peer.certificate_common_name = "system:node:" + board.name;
    request.peer.certificate_organizations = {"system:nodes"};
    request.peer.certificate_key_sha256 = board.key_sha256;
    return f.api.send(std::move(request));
  };
  REQUIRE(f.join(first, &token).status == 200);
  CHECK(as(first, "GET", "/api/v1/nodes/n1").status == 200);
  REQUIRE(f.join(second, &for_name, true).status == 200);
  CHECK(as(second, "GET", "/api/v1/nodes/n1").status == 200);
  CHECK(as(first, "GET", "/api/v1/nodes/n1").status == 401);

  // A board whose Node was deleted makes it again, with its own key whatever it says.
  REQUIRE(f.api.call("DELETE", "/api/v1/nodes/n1").status == 200);
  auto made = as(second, "POST", "/api/v1/nodes",
                 R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","annotations":{)"
                 R"("skiff.dev/public-key-sha256":"other"}}})");
  REQUIRE(made.status == 201);
  CHECK(f.key_of("n1") == second.key_sha256);
  CHECK(as(first, "GET", "/api/v1/nodes/n1").status == 401);
  CHECK(f.join(second, nullptr).status == 200);

  SECTION("an administrator takes the key of a stolen board off its Node") {
    auto taken =
        f.api.call("PATCH", "/api/v1/nodes/n1",
                   R"({"metadata":{"annotations":{"skiff.dev/public-key-sha256":"stolen"}}})",
                   "application/merge-patch+json");
    REQUIRE(taken.status == 200);
    CHECK(as(second, "GET", "/api/v1/nodes/n1").status == 401);
    CHECK(f.join(second, nullptr).status == 403);
    return;
  }
  // It does not give the name away.
  for (const char* key : {R"("other")", "null"}) {
    const std::string patch =
        std::string(R"({"metadata":{"annotations":{"skiff.dev/public-key-sha256":)") + key + "}}}";
    for (const char* path : {"/api/v1/nodes/n1", "/api/v1/nodes/n1/status"}) {
      auto patched = as(second, "PATCH", path, patch, "application/merge-patch+json");
      CHECK((patched.status == 403 || f.key_of("n1") == second.key_sha256));
    }
  }
  CHECK(f.key_of("n1") == second.key_sha256);
  auto plain = as(second, "PATCH", "/api/v1/nodes/n1", R"({"metadata":{"annotations":{"a":"b"}}})",
                  "application/merge-patch+json");
  CHECK(plain.status == 200);
}

TEST_CASE("tokens that ended long ago go, also when the clock jumps for a moment") {
  Fixture f;
  auto ends = f.make_token(), stays = f.make_token({}, {}, std::chrono::hours(24 * 365));
  base::CancelSource stop;
  base::spawn_detached(f.api.loop, f.api.server->run(stop.token()));
  auto is_there = [&](const auth::JoinToken& token) {
    return f.api
               .call("GET", "/api/v1/namespaces/kube-system/secrets/" +
                                auth::join_token_secret_name(token.id))
               .status == 200;
  };
  f.api.loop.jump_wall_clock(std::chrono::hours(24 * 3000));
  f.api.loop.advance(std::chrono::minutes(61));
  f.api.loop.jump_wall_clock(-std::chrono::hours(24 * 3000));
  f.api.loop.advance(std::chrono::hours(3));
  CHECK(is_there(ends));
  // Four hours have passed of its day; a week after that it is over, and an hour later it goes.
  f.api.loop.advance(std::chrono::hours(24 * 8 - 4) + std::chrono::minutes(50));
  CHECK(is_there(ends));
  f.api.loop.advance(std::chrono::minutes(15));
  CHECK_FALSE(is_there(ends));
  CHECK(is_there(stays));
  stop.cancel();
  f.api.loop.run_ready();
}

TEST_CASE("names of the master are nobody's") {
  Fixture f;
  auto token = f.make_token();
  for (auto name : {"kubernetes", "localhost", "kubernetes.default", "kubernetes.default.svc",
                    "master1", "No", "", "../x"})
    CHECK(f.join(Board(name), &token).status == 400);
}

TEST_CASE("requests that are none") {
  Fixture f;
  Board board("n1");
  auto body = [&](std::string_view member, Json value) {
    Json json = Json::object({{"nodeName", "n1"}, {"signingRequest", board.signing_request}});
    json.set(member, std::move(value));
    return codec::write_json(json);
  };
  std::string flipped = board.signing_request;
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  int at = 0;
  for (const auto& text :
       {std::string("{"), std::string("[]"), std::string("{}"), body("signingRequest", flipped),
        body("signingRequest", "x"), body("tokenID", "abcdef1234"), body("tokenID", 7),
        body("taints", "x"), std::string(64u << 10, ' ')}) {
    auto answer = f.ask("POST", "/skiff/v1/join", text, "192.0.2." + std::to_string(++at) + ":1");
    CHECK(answer.status == 400);
  }
  CHECK(f.ask("GET", "/skiff/v1/join").status == 404);
}

// What boards of other releases send and read. Members are added, never renamed.
TEST_CASE("a board of another release joins") {
  Fixture f;
  auto token = f.make_token();
  Board board("n1");
  std::string pem;
  for (char c : board.signing_request) pem += c == '\n' ? std::string("\\n") : std::string(1, c);
  auto request = f.api.request(
      "POST", "/skiff/v1/join",
      base::concat(R"({"nodeName":"n1","signingRequest":")", pem,
                   R"(","replace":false,"tokenID":")", token.id, R"(","tokenSecret":")",
                   token.secret,
                   R"(","taints":[{"key":"k","value":"v","effect":"NoSchedule","later":1}],)",
                   R"("later":{"a":[1,2]}})"));
  request.headers.set("Skiff-Later", "x");
  request.peer = {};
  request.peer.address = "192.0.2.7:4711";
  auto answer = f.api.send(std::move(request));
  REQUIRE(answer.status == 200);
  const Json tree = answer.json();
  for (auto member : {"nodeName", "certificate", "servingCertificate", "certificateAuthorities",
                      "clusterCIDR", "serviceCIDR", "clusterDNS", "clusterDomain", "time"}) {
    INFO(member);
    CHECK(tree[member].is_string());
  }
}

TEST_CASE("who fails often waits, others do not") {
  Fixture f;
  Board board("n1");
  auto wrong = auth::make_join_token(std::string(64, 'a'));
  auto right = f.make_token();
  for (int i = 0; i < apiserver::kJoinFailuresSourceMax; ++i)
    REQUIRE(f.join(board, &wrong, false, "192.0.2.50:" + std::to_string(1000 + i)).status == 403);
  auto limited = f.join(board, &right, false, "192.0.2.50:9");
  CHECK(limited.status == 429);
  CHECK(!limited.headers.get("Retry-After").empty());
  CHECK(f.join(board, &right, false, "192.0.2.51:9").status == 200);
  f.api.loop.advance(apiserver::kJoinFailuresSourceInterval);
  CHECK(f.join(board, &right, false, "192.0.2.50:9").status == 200);
}

TEST_CASE("the table of those who fail stays small and keeps the worst") {
  test::SimLoop loop;
  apiserver::FailureLimit limit(loop);
  for (int i = 0; i < apiserver::kJoinFailuresSourceMax; ++i) limit.note_failure("worst");
  REQUIRE(limit.seconds_to_wait("worst") > 0);
  for (std::size_t i = 0; i < 2 * apiserver::kJoinFailureSourcesMax; ++i)
    limit.note_failure("s" + std::to_string(i));
  CHECK(limit.sources() <= apiserver::kJoinFailureSourcesMax);
  // All together are over the limit for everybody, for a short while.
  CHECK(limit.seconds_to_wait("innocent") > 0);
  loop.advance(std::chrono::seconds(1));
  CHECK(limit.seconds_to_wait("innocent") == 0);
  CHECK(limit.seconds_to_wait("worst") > 0);
  CHECK(apiserver::source_of("192.0.2.1:80") == "192.0.2.1");
  CHECK(apiserver::source_of("[2001:db8::1]:80") == "[2001:db8::1]");
  CHECK(apiserver::source_of("2001:db8::1") == "2001:db8::1");
  CHECK(apiserver::source_of("loopback") == "loopback");
}
