// A master whose address changes while it runs.
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include "app/credentials/certificate_keeper.h"
#include "app/master_identity.h"

#include "fake_tls.h"
#include "support/sim_loop.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include <unistd.h>

using namespace skiff;
using namespace skiff::app;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    config.data_dir = "/tmp/skiff-master-address-test-" + std::to_string(getpid());
    std::filesystem::remove_all(config.data_dir);
    auto made = ensure_cluster_keys(config, identity.get(), loop.now());
    REQUIRE(made);
    keys = std::move(*made);
    keeper.attach(tls);
    scope.spawn(keeper.run(scope.token()));
    scope.spawn(follower.write(scope.token()));
    loop.run_ready();
  }
  ~Fixture() {
    scope.cancel();
    loop.run(scope.join());
    std::filesystem::remove_all(config.data_dir);
  }
  base::Task<base::Status> write_objects() {
    ++writes;
    if (!disk.is_ok()) co_return disk;
    written = identity.get().ip;
    co_return base::Status::ok();
  }
  bool certificate_has(const std::string& ip) const {
    auto info = pki::inspect_certificate(tls->certificate);
    REQUIRE(info);
    const auto& list = info->identity.ip_addresses;
    return std::find(list.begin(), list.end(), ip) != list.end();
  }

  test::SimLoop loop;
  Config config;
  MasterIdentity identity{{"n1", "192.0.2.10"}};
  ClusterKeys keys;
  std::shared_ptr<test::FakeTls> tls = std::make_shared<test::FakeTls>();
  CertificateKeeper keeper{config, identity, keys, loop, loop};
  int writes = 0;
  std::string written;
  base::Status disk;
  AddressFollower follower{
      identity, loop,
      AddressFollower::Parts{[this] { keeper.look_soon(); }, [this] { return write_objects(); }}};
  base::TaskScope scope{loop};
};

}  // namespace

TEST_CASE("a master's certificate and objects follow its address") {
  Fixture f;
  f.follower.use("192.0.2.10");
  f.loop.run_ready();
  CHECK(f.tls->identities + f.writes == 0);
  CHECK(f.identity.advertised_ip() == "192.0.2.10");
  CHECK(MasterIdentity({"n1", "127.0.0.1"}).advertised_ip().empty());

  f.follower.use("192.0.2.77");
  f.loop.run_ready();
  CHECK(f.tls->identities == 1);
  CHECK(f.certificate_has("192.0.2.77"));
  CHECK_FALSE(f.certificate_has("192.0.2.10"));
  CHECK(f.certificate_has("127.0.0.1"));
  CHECK(f.written == "192.0.2.77");
  CHECK(f.writes == 1);
  // The next start finds it.
  auto again = ensure_cluster_keys(f.config, f.identity.get(), f.loop.now());
  REQUIRE(again);
  CHECK(again->server.certificate_pem == f.tls->certificate);
}

TEST_CASE("a new address that cannot be written is written later, and then the newest") {
  Fixture f;
  f.disk = base::unavailable("the disk is full");
  const std::string key = f.config.data_dir + "/pki/server.key", aside = key + ".aside";
  std::filesystem::rename(key, aside);
  std::filesystem::create_directory(key);
  f.follower.use("192.0.2.77");
  f.loop.run_ready();
  CHECK(f.tls->identities == 0);
  CHECK(f.writes == 1);
  f.loop.advance(10s);
  CHECK(f.writes == 4);
  CHECK(f.tls->identities == 0);

  f.follower.use("192.0.2.78");
  f.loop.run_ready();
  f.disk = base::Status::ok();
  std::filesystem::remove(key);
  std::filesystem::rename(aside, key);
  f.loop.advance(30s);
  CHECK(f.written == "192.0.2.78");
  CHECK(f.certificate_has("192.0.2.78"));
  f.writes = 0;
  f.loop.advance(10min);
  CHECK(f.writes == 0);
}
