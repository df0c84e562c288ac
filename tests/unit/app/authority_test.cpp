#include <skiff/codec/base64.h>
#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include <catch2/catch.hpp>

#include "app/credentials/authority_files.h"
#include "app/credentials/certificate_keeper.h"
#include "app/credentials/key_files.h"

#include "fake_tls.h"
#include "support/sim_loop.h"

#include <filesystem>

#include <unistd.h>

using namespace skiff;
using namespace skiff::app;
using namespace std::chrono_literals;

namespace {

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'800'000'000);
constexpr base::Duration kYear = std::chrono::hours(24 * 365);

struct Folder {
  std::string path;
  explicit Folder(const std::string& name)
      : path("/tmp/skiff-" + name + "-" + std::to_string(getpid())) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return path + "/" + name; }
  std::string text(const std::string& name) const {
    auto read = read_or_empty(file(name));
    return read ? *read : "";
  }
};

std::string leaf_of(const AuthorityFiles& files, base::WallTime now) {
  auto authority = open_authority(files);
  REQUIRE(authority);
  auto leaf = (*authority)->issue({{{"a", {}}, {"a"}, {}}, false, true, now, kYear});
  REQUIRE(leaf);
  return leaf->certificate_pem;
}

}  // namespace

TEST_CASE("a rolled authority is believed by those who know the old one, and believes it") {
  Folder folder("roll-test");
  auto before = ensure_authority(folder.path, kNow);
  REQUIRE(before);
  const std::string old_leaf = leaf_of(*before, kNow);
  auto after = roll_authority(folder.path, kNow + 1h);
  REQUIRE(after);
  CHECK(after->old_pem == before->pair.certificate_pem);
  CHECK(after->pair.key_pem != before->pair.key_pem);
  const std::string new_leaf = leaf_of(*after, kNow + 1h);
  const auto later = kNow + 2h;
  CHECK(pki::verify_certificate(new_leaf, before->bundle_pem(), later).is_ok());
  CHECK(pki::verify_certificate(new_leaf, after->pair.certificate_pem, later).is_ok());
  CHECK(pki::verify_certificate(old_leaf, after->bundle_pem(), later).is_ok());
  CHECK_FALSE(pki::verify_certificate(old_leaf, after->pair.certificate_pem, later).is_ok());

  CHECK(ensure_authority(folder.path, later)->bundle_pem() == after->bundle_pem());
  CHECK(roll_authority(folder.path, later).code() == base::Code::conflict);
  CHECK(*end_of_overlap(*after) == kNow + 1h + kYear);
  auto ended = end_overlap(folder.path, later);
  REQUIRE(ended);
  CHECK(ended->bundle_pem() == after->pair.certificate_pem);
  CHECK(ended->retired_pem == before->pair.certificate_pem);
  // Who was away all the time still finds the way from the CA that it knows.
  CHECK(pki::verify_certificate(leaf_of(*ended, later), before->bundle_pem(), later).is_ok());
  auto third = roll_authority(folder.path, later);
  REQUIRE(third);
  CHECK(pki::verify_certificate(leaf_of(*third, later), before->bundle_pem(), later).is_ok());
  CHECK(third->retired_pem == ended->retired_pem);

  SECTION("every authority is retired in its turn, and gone when it has ended") {
    auto twice = end_overlap(folder.path, later);
    REQUIRE(twice);
    CHECK(twice->retired_pem == after->pair.certificate_pem + before->pair.certificate_pem);
    // Cut off behind the retired one: it is listed once.
    REQUIRE(sys::write_file_atomic(folder.file("ca-old.crt"), after->pair.certificate_pem).is_ok());
    CHECK(end_overlap(folder.path, later)->retired_pem == twice->retired_pem);
    CHECK(end_overlap(folder.path, later + kYear * 10)->retired_pem.empty());
  }
  SECTION("the key may be stolen: whoever knows an older one alone is lost") {
    auto alone = forget_older_authorities(folder.path);
    REQUIRE(alone);
    CHECK(alone->bundle_pem() == third->pair.certificate_pem);
    CHECK(alone->retired_pem.empty());
    const std::string leaf = leaf_of(*alone, later);
    CHECK_FALSE(pki::verify_certificate(leaf, before->bundle_pem(), later).is_ok());
    CHECK_FALSE(pki::verify_certificate(leaf, after->pair.certificate_pem, later).is_ok());
    CHECK(pki::verify_certificate(leaf, alone->bundle_pem(), later).is_ok());
  }
}

TEST_CASE("a roll that is cut off at any file is there whole or not at all") {
  Folder folder("roll-cut-test");
  auto before = ensure_authority(folder.path, kNow);
  REQUIRE(before);
  auto after = roll_authority(folder.path, kNow);
  REQUIRE(after);
  const codec::Json plan = codec::Json::object({{"key", after->pair.key_pem},
                                                {"certificate", after->pair.certificate_pem},
                                                {"cross", after->cross_pem},
                                                {"old", after->old_pem}});
  for (int written = 0; written <= 4; ++written) {
    REQUIRE(write_pair(folder.file("ca"), before->pair).is_ok());
    REQUIRE(sys::remove_tree(folder.file("ca-old.crt")).is_ok());
    REQUIRE(sys::remove_tree(folder.file("ca-cross.crt")).is_ok());
    REQUIRE(sys::write_file_atomic(folder.file("ca-roll.json"), codec::write_json(plan)).is_ok());
    if (written > 0)
      REQUIRE(sys::write_file_atomic(folder.file("ca-old.crt"), after->old_pem).is_ok());
    if (written > 1)
      REQUIRE(sys::write_file_atomic(folder.file("ca-cross.crt"), after->cross_pem).is_ok());
    if (written > 2)
      REQUIRE(sys::write_file_atomic(folder.file("ca.key"), after->pair.key_pem).is_ok());
    if (written > 3)
      REQUIRE(sys::write_file_atomic(folder.file("ca.crt"), after->pair.certificate_pem).is_ok());
    auto opened = ensure_authority(folder.path, kNow);
    REQUIRE(opened);
    CHECK(opened->pair.key_pem == after->pair.key_pem);
    CHECK(opened->bundle_pem() == after->bundle_pem());
    CHECK(open_authority(*opened).is_ok());
    CHECK_FALSE(sys::path_exists(folder.file("ca-roll.json")));
  }
}

TEST_CASE("a running master renews, takes over another CA and ends the overlap") {
  Folder folder("keeper-test");
  test::SimLoop loop;
  Config config;
  config.data_dir = folder.path;
  const std::string pki = folder.file("pki");
  const MasterIdentity identity({"n1", "10.0.0.1"});
  auto made = ensure_cluster_keys(config, identity.get(), loop.now());
  REQUIRE(made);
  ClusterKeys keys = std::move(*made);
  const std::string first_server = keys.server.certificate_pem;
  auto tls = std::make_shared<test::FakeTls>();
  CertificateKeeper keeper(config, identity, keys, loop, loop);
  int told = 0;
  keeper.attach(tls, [&] { CHECK(tls->trusts == ++told); });
  base::TaskScope scope(loop);
  scope.spawn(keeper.run(scope.token()));

  keeper.look_soon();
  loop.run_ready();
  CHECK(tls->identities + tls->trusts == 0);
  CHECK_FALSE(sys::path_exists(folder.file("admin.kubeconfig")));

  loop.jump_wall_clock(kYear * 2 / 3);
  loop.advance(1h);
  CHECK(tls->identities == 1);
  CHECK(tls->trusts == 0);
  CHECK(tls->certificate != first_server);
  CHECK(sys::path_exists(folder.file("admin.kubeconfig")));

  const std::string old_bundle = keys.trust->bundle_pem();
  REQUIRE(roll_authority(pki, loop.now()));
  keeper.look_soon();
  loop.run_ready();
  CHECK(tls->trust == keys.trust->bundle_pem());
  CHECK(tls->trust.find(old_bundle) != std::string::npos);
  CHECK(tls->identities == 2);
  CHECK(pki::verify_certificate(tls->certificate, old_bundle, loop.now()).is_ok());
  CHECK(keys.trust->signer()->certificate_pem() != old_bundle);
  CHECK(folder.text("admin.kubeconfig").find(codec::base64_encode(tls->trust)) !=
        std::string::npos);

  // A clock that is years ahead for an hour ends no trust, and what was made meanwhile is made
  // anew.
  const std::string both = tls->trust;
  loop.jump_wall_clock(kYear * 3);
  loop.advance(1h);
  CHECK(tls->trust == both);
  CHECK(pki::inspect_certificate(tls->certificate)->not_before > loop.now() - 25h);
  loop.jump_wall_clock(-kYear * 3);
  loop.advance(2min);
  CHECK(tls->trust == both);
  CHECK(pki::verify_certificate(tls->certificate, both, loop.now()).is_ok());
  CHECK(pki::inspect_certificate(folder.text("pki/admin.crt"))->not_before < loop.now());

  loop.jump_wall_clock(kYear + 1h);
  loop.advance(5h);
  CHECK(tls->trust == both);
  loop.advance(3h);
  CHECK(tls->trust == keys.trust->signer()->certificate_pem());
  CHECK(tls->trusts == 2);
  CHECK(told == 2);
  CHECK(keys.trust->bundle_pem() == tls->trust);
  CHECK(keys.trust->known_pem() == tls->trust + old_bundle);
  scope.cancel();
  loop.run(scope.join());
}
