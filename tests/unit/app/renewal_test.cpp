#include <catch2/catch.hpp>

#include "app/credentials/credential_keeper.h"
#include "app/credentials/plan_renewal.h"
#include "app/join/joined_files.h"
#include "unit/app/join_cluster.h"

#include <unistd.h>

#include <filesystem>

using namespace skiff;
using namespace skiff::app;
using namespace skiff::app_test;
using namespace std::chrono_literals;

TEST_CASE("certificates are due at two thirds of their life, some a little earlier") {
  const auto now = base::WallTime::from_unix_seconds(1'800'000'000);
  pki::CertificateInfo year;
  year.not_before = now;
  year.not_after = now + 3000h;
  auto after = [&](base::Duration passed, double unit) {
    return app::until_renewal({year}, now + passed, unit);
  };
  CHECK(std::chrono::round<std::chrono::hours>(after(0h, 0)) == 2000h);
  CHECK(std::chrono::round<std::chrono::hours>(after(0h, 1)) == 1850h);
  CHECK(after(1999h, 0) > 0s);
  CHECK(after(2001h, 0) < 0s);
  CHECK(after(1851h, 1) < 0s);
  // The one that ends first counts; a clock that is behind makes nothing due.
  pki::CertificateInfo day = year;
  day.not_after = now + 24h;
  CHECK(app::until_renewal({year, day}, now + 17h, 0) < 0s);
  CHECK(app::until_renewal({year}, base::WallTime{}, 0) > 0s);
}

namespace {

// A node that has joined, and one look of its keeper.
struct RunningNode {
  RunningNode() {
    config.data_dir =
        std::filesystem::temp_directory_path() / ("skiff-renewal-test-" + std::to_string(getpid()));
    std::filesystem::remove_all(config.data_dir);
    config.node_name = "n1";
  }
  ~RunningNode() { std::filesystem::remove_all(config.data_dir); }

  static base::Task<void> join_now(RunningNode* self, loop::Loop* loop) {
    auto joining = ensure_joined(self->config, *loop, base::secure_random(), {});
    auto joined = co_await std::move(joining);
    self->result = joined.status();
    if (joined) self->node = std::move(*joined);
    loop->stop();
  }
  static base::Task<void> look_now(RunningNode* self, loop::Loop* loop) {
    CredentialKeeper keeper(self->config, *loop, self->node, self->tls, *loop,
                            base::secure_random(), {});
    auto looking = keeper.look();
    self->result = co_await std::move(looking);
    self->node = keeper.node();
    loop->stop();
  }
  base::Status run(base::Task<void> (*work)(RunningNode*, loop::Loop*)) {
    auto loop = loop::make_loop("node");
    REQUIRE(loop);
    base::spawn_detached(**loop, work(this, loop->get()));
    (*loop)->run();
    INFO(result.to_string());
    return result;
  }
  void open_tls() {
    http::TlsClientOptions options;
    options.ca_pem = node.ca_pem;
    options.certificate_pem = node.certificate_pem;
    options.key_pem = node.key_pem;
    auto made = http::make_tls_client_context(options);
    REQUIRE(made);
    tls = *made;
  }

  Config config;
  JoinedNode node;
  std::shared_ptr<http::TlsContext> tls;
  base::Status result;
};

}  // namespace

TEST_CASE("a running node takes over another CA, on disk and for its next connections") {
  Cluster cluster;
  RunningNode node;
  node.config.servers = {{"127.0.0.1", cluster.port()}};
  node.config.token = cluster.make_token();
  REQUIRE(node.run(RunningNode::join_now).is_ok());
  node.open_tls();
  const JoinedNode before = node.node;

  // Nothing is new, nothing is written.
  REQUIRE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem == before.certificate_pem);

  cluster.roll();
  REQUIRE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem != before.certificate_pem);
  CHECK(node.node.key_pem == before.key_pem);
  CHECK(node.node.ca_pem != before.ca_pem);
  CHECK(node.node.ca_pem.find(before.ca_pem) != std::string::npos);
  CHECK(node.node.cluster.cluster_dns == before.cluster.cluster_dns);
  auto files = read_joined_files(node.config.data_dir);
  REQUIRE(files);
  REQUIRE(files->joined);
  CHECK(files->joined->certificate_pem == node.node.certificate_pem);
  CHECK(files->joined->ca_pem == node.node.ca_pem);
  // The master trusts only the old CA in its front here: the chain leads there.
  REQUIRE(node.run(RunningNode::look_now).is_ok());

  cluster.stop();
  CHECK_FALSE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem == files->joined->certificate_pem);
}

TEST_CASE("a running node whose certificates have ended comes back by its key") {
  Cluster cluster;
  RunningNode node;
  node.config.servers = {{"127.0.0.1", cluster.port()}};
  node.config.token = cluster.make_token();
  REQUIRE(node.run(RunningNode::join_now).is_ok());
  const std::string ended = cluster.ended_certificate("n1", node.node.key_pem);
  node.node.certificate_pem = node.node.serving_certificate_pem = ended;
  node.config.token.clear();
  node.open_tls();

  REQUIRE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem != ended);
  auto files = read_joined_files(node.config.data_dir);
  REQUIRE(files);
  REQUIRE(files->joined);
  CHECK(files->joined->certificate_pem == node.node.certificate_pem);
  // And its next connections are good.
  REQUIRE(node.run(RunningNode::look_now).is_ok());
}

TEST_CASE("a running node whose certificate the master takes no more comes back by its key") {
  Cluster cluster;
  RunningNode node;
  node.config.servers = {{"127.0.0.1", cluster.port()}};
  node.config.token = cluster.make_token();
  REQUIRE(node.run(RunningNode::join_now).is_ok());
  node.config.token.clear();
  const JoinedNode before = node.node;
  SECTION("it has ended, and the node's own clock does not know") {
    node.node.certificate_pem = cluster.ended_certificate("n1", before.key_pem);
  }
  SECTION("it is the one for serving") {
    node.node.certificate_pem = before.serving_certificate_pem;
  }
  node.open_tls();
  node.node.certificate_pem = before.certificate_pem;
  REQUIRE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem != before.certificate_pem);
  CHECK(node.node.key_pem == before.key_pem);
  CHECK(node.node.cluster.cluster_dns == before.cluster.cluster_dns);
  auto files = read_joined_files(node.config.data_dir);
  REQUIRE(files);
  REQUIRE(files->joined);
  CHECK(files->joined->certificate_pem == node.node.certificate_pem);
  // What it has now is good.
  REQUIRE(node.run(RunningNode::look_now).is_ok());
  CHECK(files->joined->certificate_pem == node.node.certificate_pem);
}

TEST_CASE("a node that missed another CA comes back by a token that names it") {
  Cluster cluster;
  RunningNode node;
  node.config.servers = {{"127.0.0.1", cluster.port()}};
  node.config.token = cluster.make_token();
  REQUIRE(node.run(RunningNode::join_now).is_ok());
  node.open_tls();
  const JoinedNode before = node.node;
  cluster.roll();
  cluster.forget_old_authority();
  CHECK_FALSE(node.run(RunningNode::look_now).is_ok());
  CHECK(node.node.certificate_pem == before.certificate_pem);

  node.config.token = cluster.make_new_token();
  // As at a start: what is on disk looks good.
  REQUIRE(node.run(RunningNode::join_now).is_ok());
  CHECK(node.node.certificate_pem == before.certificate_pem);
  REQUIRE(node.run(RunningNode::look_now).to_string() == "ok");
  CHECK(node.node.key_pem == before.key_pem);
  CHECK(node.node.ca_pem.find(before.ca_pem) == std::string::npos);
  auto files = read_joined_files(node.config.data_dir);
  REQUIRE(files);
  REQUIRE(files->joined);
  CHECK(files->joined->certificate_pem == node.node.certificate_pem);
  // Its next connections are good, and need no token.
  node.config.token.clear();
  REQUIRE(node.run(RunningNode::look_now).is_ok());
}
