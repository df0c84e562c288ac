#include "app/bootstrap.h"

#include <skiff/codec/yaml.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace skiff;
using namespace skiff::app;

namespace {

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'800'000'000);

struct Fixture {
  Fixture() {
    config.data_dir = std::filesystem::temp_directory_path() /
                      ("skiff-bootstrap-test-" + std::to_string(getpid()));
    std::filesystem::remove_all(config.data_dir);
  }
  ~Fixture() { std::filesystem::remove_all(config.data_dir); }
  ClusterKeys ensure(base::WallTime now = kNow) {
    auto keys = ensure_cluster_keys(config, {"node1", "192.0.2.10"}, now);
    REQUIRE(keys);
    return *keys;
  }
  Config config;
};

}  // namespace

TEST_CASE("keys are made once and kept") {
  Fixture f;
  auto first = f.ensure(), second = f.ensure();
  CHECK(first.trust->bundle_pem() == second.trust->bundle_pem());
  CHECK(first.server.certificate_pem == second.server.certificate_pem);
  CHECK(first.service_account_key_pem == second.service_account_key_pem);
  struct stat info {};
  REQUIRE(stat((f.config.data_dir + "/pki/ca.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("the server's certificate names the service address and every other name") {
  Fixture f;
  f.config.tls_san = {"api.example", "198.51.100.7"};
  auto info = pki::inspect_certificate(f.ensure().server.certificate_pem);
  REQUIRE(info);
  auto has = [](const std::vector<std::string>& list, const char* name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (auto name : {"kubernetes.default.svc.cluster.local", "localhost", "node1", "api.example"})
    CHECK(has(info->identity.dns_names, name));
  for (auto address : {"10.43.0.1", "127.0.0.1", "192.0.2.10", "198.51.100.7"})
    CHECK(has(info->identity.ip_addresses, address));
}

TEST_CASE("a certificate is made anew for a new name, late in its life, and when it is damaged") {
  Fixture f;
  auto first = f.ensure();
  f.config.tls_san = {"new.example"};
  auto renamed = f.ensure();
  CHECK(renamed.server.certificate_pem != first.server.certificate_pem);
  CHECK(renamed.admin.certificate_pem == first.admin.certificate_pem);
  auto later = f.ensure(kNow + std::chrono::hours(24 * 300));
  CHECK(later.admin.certificate_pem != first.admin.certificate_pem);
  CHECK(later.trust->bundle_pem() == first.trust->bundle_pem());
  std::ofstream(f.config.data_dir + "/pki/server.crt") << "x";
  CHECK(f.ensure().server.certificate_pem != renamed.server.certificate_pem);
}

TEST_CASE("half an authority is not replaced in silence") {
  Fixture f;
  f.ensure();
  std::filesystem::remove(f.config.data_dir + "/pki/ca.key");
  auto keys = ensure_cluster_keys(f.config, {"node1", "192.0.2.10"}, kNow);
  CHECK(keys.code() == base::Code::data_loss);
}

TEST_CASE("the kubeconfig is YAML that points at the API") {
  Fixture f;
  auto keys = f.ensure();
  REQUIRE(write_kubeconfig(f.config, keys).is_ok());
  auto yaml = codec::parse_yaml(admin_kubeconfig(keys, "https://127.0.0.1:6443"));
  REQUIRE(yaml);
  CHECK((*yaml)["clusters"].items()[0].at({"cluster", "server"}).as_string() ==
        "https://127.0.0.1:6443");
  struct stat info {};
  REQUIRE(stat((f.config.data_dir + "/admin.kubeconfig").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}
