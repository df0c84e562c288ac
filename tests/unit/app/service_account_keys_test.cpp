#include "app/credentials/service_account_keys.h"

#include <skiff/base/async.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/certificate.h>
#include <skiff/pki/token.h>
#include <skiff/sys/files.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "app/limits.h"
#include "unit/auth/fake_objects.h"

using namespace skiff;
using namespace skiff::app;

namespace {

struct KeyFolder {
  KeyFolder() {
    std::filesystem::remove_all(path);
    REQUIRE(sys::make_folders(path, 0700).is_ok());
    REQUIRE(sys::write_file_atomic(path + "/service-account.key", *pki::make_private_key(), 0600)
                .is_ok());
  }
  ~KeyFolder() { std::filesystem::remove_all(path); }
  auth::TokenKeys read() {
    auto keys = read_service_account_keys(path);
    REQUIRE(keys);
    return *keys;
  }
  const std::string path = std::filesystem::temp_directory_path() / "skiff-token-keys-test";
};

}  // namespace

TEST_CASE("a rotated key goes on verifying until its file is deleted") {
  KeyFolder folder;
  const auto first = folder.read();
  CHECK(first.older_keys.empty());
  auto rotated = rotate_service_account_key(folder.path);
  REQUIRE(rotated);
  CHECK(rotated->older_keys == 1);
  const auto second = folder.read();
  CHECK(second.signing_key != first.signing_key);
  REQUIRE(second.older_keys.size() == 1);
  CHECK(second.older_keys[0] == *pki::public_key_of(first.signing_key));
  CHECK(rotated->id == (*pki::make_token_signer(second.signing_key))->key_id());
  std::filesystem::perms mode =
      std::filesystem::status(folder.path + "/service-account.key").permissions();
  CHECK(mode == std::filesystem::perms(0600));
  for (const auto& file : std::filesystem::directory_iterator(folder.path))
    if (file.path().extension() == ".pub") std::filesystem::remove(file.path());
  CHECK(folder.read().older_keys.empty());
}

TEST_CASE("a rotation that would keep too many keys changes nothing") {
  KeyFolder folder;
  for (std::size_t i = 0; i < kOlderServiceAccountKeysMax; ++i)
    REQUIRE(rotate_service_account_key(folder.path));
  const auto before = folder.read();
  auto refused = rotate_service_account_key(folder.path);
  CHECK(refused.code() == base::Code::too_many_requests);
  CHECK(folder.read().signing_key == before.signing_key);
}

TEST_CASE("there is nothing to rotate without a key") {
  KeyFolder folder;
  std::filesystem::remove(folder.path + "/service-account.key");
  auto refused = rotate_service_account_key(folder.path);
  CHECK(refused.code() == base::Code::not_found);
  CHECK(std::string(refused.status().message()).find("run this on a master") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder.path + "/service-account.lock"));
}

namespace {

struct Follower {
  KeyFolder folder;
  loop::Loop& loop;
  base::Executor& pool;
  auth::ServiceAccountTokens& tokens;
  std::string rotated_id;
  bool taken = false;
};

// Rotates the key under a follower and waits until it has noticed, 10 s at most.
base::Task<void> rotate_and_wait(Follower* f) {
  base::TaskScope scope(f->loop);
  const base::CancelToken never;
  scope.spawn(
      follow_service_account_keys(f->folder.path, f->loop, f->pool, f->tokens, scope.token()));
  co_await base::sleep(f->loop, std::chrono::milliseconds(20), never);
  auto rotated = rotate_service_account_key(f->folder.path);
  if (rotated) f->rotated_id = rotated->id;
  for (int tries = 0; tries < 1000 && !f->taken; ++tries) {
    co_await base::sleep(f->loop, std::chrono::milliseconds(10), never);
    f->taken = f->tokens.key_set().find(f->rotated_id) != std::string::npos;
  }
  scope.cancel();
  co_await scope.join();
  f->loop.stop();
}

}  // namespace

TEST_CASE("a server takes keys as soon as their files change") {
  auto loop = loop::make_loop("");
  auto pool = loop::make_work_pool({"test", 1});
  REQUIRE((loop && pool));
  test::FakeObjects objects;
  auto random = base::seeded_random(1);
  auth::TokenOptions options;
  options.keys.signing_key = *pki::make_private_key();
  options.issuer = "https://test";
  options.clock = &(*loop)->clock();
  options.random = random.get();
  options.reader = &objects;
  auto tokens = auth::make_service_account_tokens(std::move(options));
  REQUIRE(tokens);
  Follower follower{{}, **loop, **pool, **tokens, {}};
  base::spawn_detached(**loop, rotate_and_wait(&follower));
  (*loop)->run();
  CHECK_FALSE(follower.rotated_id.empty());
  CHECK(follower.taken);
}
