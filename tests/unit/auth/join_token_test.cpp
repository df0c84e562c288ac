#include <skiff/auth/join_proof.h>
#include <skiff/auth/join_token.h>
#include <skiff/pki/token.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::auth;

namespace {

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'800'000'000);
const std::string kHash(64, 'a');
constexpr auto kSecret = "0123456789abcdef0123456789abcdef";

JoinTokenRecord record_of(std::optional<std::int64_t> uses = {}) {
  JoinTokenRecord record;
  record.id = "abcdef1234";
  record.secret_sha256 = pki::sha256_hex(kSecret);
  record.expires = kNow + base::Duration(std::chrono::hours(1));
  record.uses_left = uses;
  return record;
}

JoinAttempt attempt_of(std::string name = "n1", std::string key = "k1") {
  return {std::move(name), std::move(key), "abcdef1234", kSecret, false};
}

}  // namespace

TEST_CASE("a join token is read as it was written") {
  auto token = make_join_token(kHash);
  auto read = parse_join_token(" " + format_join_token(token) + "\n");
  REQUIRE(read);
  CHECK(read->ca_key_sha256 == kHash);
  CHECK(read->id == token.id);
  CHECK(read->secret == token.secret);
  CHECK(token.secret.size() == 32);
  CHECK(make_join_token(kHash).secret != token.secret);
  CHECK(*join_token_id(format_join_token(token)) == token.id);
  CHECK(*join_token_id(token.id) == token.id);
  CHECK_FALSE(join_token_id("NO"));
}

TEST_CASE("what is no join token is refused without its secret") {
  const std::string secret(kSecret);
  for (std::string text :
       {std::string(), std::string("K10"), "K10" + kHash, "K10" + kHash + "::abcdef1234",
        "K10" + kHash + ":abcdef1234:" + secret, "K10" + kHash + "::abcdef1234:" + secret + ":x",
        "K10" + kHash.substr(1) + "::abcdef1234:" + secret,
        "K10" + std::string(64, 'A') + "::abcdef1234:" + secret, "K10" + kHash + "::ABC:" + secret,
        "K10" + kHash + "::abcdef1234:short", "K10" + kHash + "::abcdef1234:" + secret + "/..",
        std::string("abcdef.0123456789abcdef"), "ABC:" + secret, ":" + secret,
        kHash + "::abcdef1234:" + secret, "K10" + kHash + ":" + secret,
        std::string("abcdef1234:short"), "K10" + kHash + "::abcdef1234:" + std::string(600, 'a')}) {
    auto token = parse_join_token(text);
    CHECK(token.code() == base::Code::invalid_argument);
    CHECK(token.status().message().find(secret) == std::string_view::npos);
  }
}

TEST_CASE("a token may name no authority") {
  auto token = make_join_token("");
  const auto text = format_join_token(token);
  CHECK(text == token.id + ":" + token.secret);
  auto read = parse_join_token(text + "\n");
  REQUIRE(read);
  CHECK(read->ca_key_sha256.empty());
  CHECK(read->id == token.id);
  CHECK(read->secret == token.secret);
  CHECK(*join_token_id(text) == token.id);
}

TEST_CASE("a proof holds for its side, its secret, its channel and its authorities") {
  const auto key = join_proof_key(kSecret);
  const std::string channel(32, '\1'), other(32, '\2');
  CHECK(key.size() == 64);
  CHECK(key != pki::sha256_hex(kSecret));
  CHECK(key != join_proof_key("another"));
  const auto board = join_proof_of_board(key, channel);
  CHECK(board == join_proof_of_board(key, channel));
  CHECK(board != join_proof_of_board(key, other));
  const auto master = join_proof_of_master(key, channel, "PEM");
  CHECK(master != board);
  CHECK(master != join_proof_of_master(key, other, "PEM"));
  CHECK(master != join_proof_of_master(key, channel, "PEN"));
  CHECK(master != join_proof_of_master(join_proof_key("another"), channel, "PEM"));
  CHECK(is_same_proof(master, join_proof_of_master(key, channel, "PEM")));
  CHECK_FALSE(is_same_proof("", master));
  CHECK_FALSE(is_same_proof(board, master));
  // HMAC of RFC 4231, case 2.
  CHECK(pki::hmac_sha256_hex("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("only a token that is made for it is proved") {
  auto record = record_of();
  record.proof_key = join_proof_key(kSecret);
  const std::string channel(32, '\1');
  const JoinProof good{record.id, join_proof_of_board(record.proof_key, channel), channel};
  CHECK(check_join_proof(good, &record, kNow).is_ok());
  auto refused = [&](const JoinProof& proof, const JoinTokenRecord* known, const char* why) {
    auto outcome = check_join_proof(proof, known, kNow);
    REQUIRE_FALSE(outcome.is_ok());
    CHECK(outcome.error().code == 403);
    CHECK(outcome.error().message.find(why) != std::string::npos);
  };
  const char* const not_proved = "is not proved over this connection";
  refused(good, nullptr, not_proved);
  JoinTokenRecord with_hash = record;
  with_hash.proof_key.clear();
  refused(good, &with_hash, not_proved);
  // Nor by what anybody can compute for a token that has no key.
  refused({record.id, join_proof_of_board("", channel), channel}, &with_hash, not_proved);
  refused({record.id, join_proof_of_board(std::string(64, '0'), channel), channel}, &with_hash,
          not_proved);
  refused({record.id, good.proof, std::string(32, '\2')}, &record, not_proved);
  refused({record.id, join_proof_of_board(record.proof_key, ""), ""}, &record, not_proved);
  // Who has the stored hash alone proves nothing.
  refused({record.id, join_proof_of_board(record.secret_sha256, channel), channel}, &record,
          not_proved);
  record.expires = kNow;
  refused(good, &record, "has expired at");

  auto read = read_join_token_secret(join_token_secret(record));
  REQUIRE(read);
  CHECK(read->proof_key == record.proof_key);
  record.proof_key = "short";
  CHECK_FALSE(read_join_token_secret(join_token_secret(record)));
}

TEST_CASE("the record of a token survives its Secret, and the secret is not in it") {
  auto record = record_of(3);
  record.node_name = "n1";
  record.description = "for the roof";
  record.last_uses = {{"n1", "k1"}, {"n2", "k2"}};
  auto secret = join_token_secret(record);
  CHECK(codec::write_json(secret).find(kSecret) == std::string::npos);
  auto read = read_join_token_secret(secret);
  REQUIRE(read);
  CHECK(read->id == record.id);
  CHECK(read->secret_sha256 == record.secret_sha256);
  CHECK(read->expires == record.expires);
  CHECK(read->uses_left == record.uses_left);
  CHECK(read->node_name == "n1");
  CHECK(read->description == "for the roof");
  CHECK(read->last_uses == record.last_uses);

  secret.set("type", "Opaque");
  CHECK_FALSE(read_join_token_secret(secret));
}

TEST_CASE("a damaged record is never a better one") {
  auto secret = join_token_secret(record_of(1));
  secret["data"].set("expiration", "bm90IGEgdGltZQ==");
  secret["data"].set("uses-left", "%%");
  auto read = read_join_token_secret(secret);
  REQUIRE(read);
  CHECK(read->expires == base::WallTime());
  CHECK(read->uses_left == 0);
}

TEST_CASE("a token lets a board in, and says why not in a sentence") {
  auto record = record_of();
  auto says = [](const api::Outcome<JoinVerdict>& outcome, int code, std::string_view words) {
    if (outcome.is_ok()) return false;
    CHECK(outcome.error().message.find(kSecret) == std::string::npos);
    return outcome.error().code == code && outcome.error().message.find(words) != std::string::npos;
  };
  CHECK(plan_join(attempt_of(), {}, &record, kNow).value() == JoinVerdict::spend);
  CHECK(says(plan_join(attempt_of(), {}, nullptr, kNow), 403, "is not known"));
  auto guess = attempt_of();
  guess.secret[0] = 'f';
  CHECK(says(plan_join(guess, {}, &record, kNow), 403, "is not known"));
  CHECK(says(plan_join(attempt_of(), {}, &record, kNow + base::Duration(std::chrono::hours(1))),
             403, "has expired"));
  record.uses_left = 0;
  CHECK(says(plan_join(attempt_of(), {}, &record, kNow), 403, "is used up"));
  record = record_of();
  record.node_name = "n2";
  CHECK(says(plan_join(attempt_of(), {}, &record, kNow), 403, "for the node \"n2\" only"));
  auto nothing = attempt_of();
  nothing.token_id.clear();
  CHECK(says(plan_join(nothing, {}, nullptr, kNow), 403, "--token"));
}

TEST_CASE("a use is counted once for a board, also when it asks again") {
  auto record = record_of(1);
  REQUIRE(plan_join(attempt_of(), {}, &record, kNow).value() == JoinVerdict::spend);
  record = spend_join_token(record, attempt_of());
  CHECK(record.uses_left == 0);
  CHECK(plan_join(attempt_of(), {}, &record, kNow).value() == JoinVerdict::repeat);
  CHECK_FALSE(plan_join(attempt_of("n1", "other"), {}, &record, kNow).is_ok());
  CHECK_FALSE(plan_join(attempt_of("n2"), {}, &record, kNow).is_ok());
  auto many = record_of(100);
  for (int i = 0; i < 40; ++i)
    many = spend_join_token(many, attempt_of("n" + std::to_string(i), "k"));
  CHECK(many.uses_left == 60);
  CHECK(many.last_uses.size() == 16);
  CHECK(many.last_uses.back().node_name == "n39");
}

TEST_CASE("a name belongs to a key") {
  auto record = record_of();
  const NodeNameState own{true, "k1"}, other{true, "k2"}, unknown{true, ""};
  auto nothing = attempt_of();
  nothing.token_id.clear();
  nothing.secret.clear();
  CHECK(plan_join(nothing, own, nullptr, kNow).value() == JoinVerdict::known);
  CHECK_FALSE(plan_join(nothing, other, nullptr, kNow).is_ok());
  CHECK_FALSE(plan_join(nothing, unknown, nullptr, kNow).is_ok());
  // Known to nobody and without a key of its own: not the same as known.
  auto keyless = nothing;
  keyless.key_sha256.clear();
  CHECK_FALSE(plan_join(keyless, unknown, nullptr, kNow).is_ok());

  for (const auto& taken : {other, unknown}) {
    auto refused = plan_join(attempt_of(), taken, &record, kNow);
    REQUIRE_FALSE(refused.is_ok());
    CHECK(refused.error().code == 409);
    CHECK(refused.error().message.find("--replace") != std::string::npos);
    auto replacing = attempt_of();
    replacing.replace = true;
    CHECK(plan_join(replacing, taken, &record, kNow).error().code == 403);
    auto bound = record;
    bound.node_name = "n1";
    CHECK(plan_join(attempt_of(), taken, &bound, kNow).error().code == 409);
    CHECK(plan_join(replacing, taken, &bound, kNow).value() == JoinVerdict::spend);
  }
}
