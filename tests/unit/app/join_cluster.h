// A cluster that boards can join over real sockets, and strangers who stand in between.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/auth/join_proof.h>
#include <skiff/base/strings.h>
#include <skiff/http/server.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/authority.h>
#include <skiff/pki/token.h>
#include <skiff/sys/files.h>

#include "app/join/host_identity.h"
#include "app/join/join_answer.h"

#include <catch2/catch.hpp>

#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace skiff::app_test {

inline bool board_has_serial() { return !app::read_host_identity().board_serial.empty(); }

// A server on a thread of its own.
class ServerThread {
 public:
  ServerThread() {
    auto loop = loop::make_loop("io");
    REQUIRE(loop);
    loop_ = std::move(*loop);
    auto pool = loop::make_work_pool({.name = "workers", .threads_max = 2, .keep_threads = true});
    REQUIRE(pool);
    workers_ = std::move(*pool);
  }
  ~ServerThread() { stop(); }
  void start(http::Handler& handler, const pki::KeyAndCertificate& identity,
             std::string client_ca_pem = {}) {
    http::TlsServerOptions tls;
    tls.certificate_pem = identity.certificate_pem;
    tls.key_pem = identity.key_pem;
    tls.client_ca_pem = std::move(client_ca_pem);
    auto context = http::make_tls_server_context(tls);
    REQUIRE(context);
    tls_ = *context;
    http::ServerOptions options;
    options.addresses = {"127.0.0.1"};
    auto server = http::make_server(*loop_, *workers_, handler, *context, options);
    REQUIRE(server);
    server_ = std::move(*server);
    port_ = server_->port();
    thread_ = std::thread([this] { loop_->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    base::spawn_detached(*loop_, end(server_.get(), loop_.get()));
    thread_.join();
    server_.reset();
    workers_.reset();
  }
  loop::Loop& loop() { return *loop_; }
  http::TlsContext& tls() { return *tls_; }
  loop::WorkPool& workers() { return *workers_; }
  std::uint16_t port() const { return port_; }

 private:
  static base::Task<void> end(http::Server* server, loop::Loop* loop) {
    auto stopping = server->stop(std::chrono::seconds(2));
    co_await std::move(stopping);
    loop->stop();
  }
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<loop::WorkPool> workers_;
  std::unique_ptr<http::Server> server_;
  std::shared_ptr<http::TlsContext> tls_;
  std::thread thread_;
  std::uint16_t port_ = 0;
};

struct TestAuthority {
  TestAuthority() {
    auto made = pki::make_authority("skiff-ca", loop::real_clock().now(), std::chrono::hours(48));
    REQUIRE(made);
    pair = *made;
    auto opened = pki::open_authority(pair);
    REQUIRE(opened);
    authority = std::move(*opened);
  }
  pki::KeyAndCertificate server_identity() const { return server_identity_of(*authority); }
  static pki::KeyAndCertificate server_identity_of(const pki::Authority& authority) {
    pki::CertificateRequest request;
    request.identity.subject.common_name = "kube-apiserver";
    request.identity.dns_names = {"kubernetes"};
    request.for_server = true;
    request.now = loop::real_clock().now();
    request.life = std::chrono::hours(24);
    auto made = authority.issue(request);
    REQUIRE(made);
    return *made;
  }
  pki::KeyAndCertificate pair;
  std::shared_ptr<const pki::Authority> authority;
};

// An API server over a store in memory.
class Cluster {
 public:
  Cluster() : trust_(ca_.authority, ca_.pair.certificate_pem) {
    store_ = store::make_memory_store(thread_.loop());
    auto hub = watch::make_hub(*store_, {}, nullptr);
    REQUIRE(hub);
    hub_ = std::move(*hub);
    apiserver::Options options;
    options.workers = &thread_.workers();
    options.timers = &thread_.loop();
    options.random = &base::secure_random();
    options.store = store_.get();
    options.hub = hub_.get();
    auto key = pki::make_private_key();
    REQUIRE(key);
    options.service_account_key_pem = *key;
    options.advertise_address = [] { return std::string("192.0.2.1"); };
    options.trust = &trust_;
    auto made = apiserver::make_apiserver(std::move(options));
    REQUIRE(made);
    api_ = std::move(*made);
    client_ = api_->loopback_client(auth::admin_user());
    thread_.start(api_->handler(), ca_.server_identity(), ca_.pair.certificate_pem);
    run([](Cluster* self) { return self->api_->ensure_bootstrap_objects(); });
  }
  ~Cluster() { stop(); }
  void stop() { thread_.stop(); }
  std::uint16_t port() const { return thread_.port(); }
  const std::string& ca_pem() const { return ca_.pair.certificate_pem; }
  // Another authority signs from now on; both are trusted.
  void roll() {
    TestAuthority next;
    auto cross = ca_.authority->cross_sign(next.pair.certificate_pem);
    REQUIRE(cross);
    auto crossed = pki::open_authority(next.pair, *cross);
    REQUIRE(crossed);
    trust_.replace(std::move(*crossed), next.pair.certificate_pem + ca_.pair.certificate_pem);
  }
  // The server shows the new one and trusts no other; boards hear of the old one, or do not.
  void retire_old_authority() {
    const auto signer = trust_.signer();
    forget_old_authority();
    trust_.replace(signer, signer->certificate_pem(), ca_.pair.certificate_pem);
  }
  void forget_old_authority() {
    const auto signer = trust_.signer();
    trust_.replace(signer, signer->certificate_pem());
    const auto identity = TestAuthority::server_identity_of(*signer);
    REQUIRE(thread_.tls().replace_identity(identity.certificate_pem, identity.key_pem).is_ok());
    REQUIRE(thread_.tls().replace_trust(signer->certificate_pem()).is_ok());
  }

  // Of a node that was off for too long.
  std::string ended_certificate(const std::string& node_name, const std::string& key_pem) const {
    auto request_pem = app::make_node_request(node_name, key_pem);
    REQUIRE(request_pem);
    pki::CertificateRequest request;
    request.identity.subject = {base::concat("system:node:", node_name), {"system:nodes"}};
    request.for_client = true;
    request.now = loop::real_clock().now() - std::chrono::hours(2);
    request.life = std::chrono::hours(1);
    auto made = ca_.authority->sign(*request_pem, request);
    REQUIRE(made);
    return *made;
  }

  // One that names the authority that signs at the moment.
  std::string make_new_token() {
    const auto token = make_token();
    auto info = pki::inspect_certificate(trust_.signer()->certificate_pem());
    REQUIRE(info);
    return base::concat("K10", info->public_key_fingerprint, token.substr(token.find("::")));
  }
  // One that names no authority.
  std::string make_short_token() { return make_token({}, false); }
  std::string make_token(std::string node_name = {}, bool names_ca = true) {
    auto info = pki::inspect_certificate(ca_pem());
    REQUIRE(info);
    auto token = auth::make_join_token(names_ca ? info->public_key_fingerprint : std::string());
    record_ = {};
    record_.id = token.id;
    record_.secret_sha256 = pki::sha256_hex(token.secret);
    if (!names_ca) record_.proof_key = auth::join_proof_key(token.secret);
    record_.node_name = std::move(node_name);
    run([](Cluster* self) { return self->create_token(); });
    return auth::format_join_token(token);
  }

 private:
  using Work = base::Task<base::Status> (*)(Cluster*);
  void run(Work work) {
    std::promise<base::Status> done;
    base::spawn_detached(thread_.loop(), tell(this, work, &done));
    auto status = done.get_future().get();
    INFO(status.to_string());
    REQUIRE(status.is_ok());
  }
  static base::Task<void> tell(Cluster* self, Work work, std::promise<base::Status>* done) {
    auto task = work(self);
    done->set_value(co_await std::move(task));
  }
  base::Task<base::Status> create_token() {
    auto creating = client_->create(client::resources::secrets, "kube-system",
                                    auth::join_token_secret(record_));
    auto created = co_await std::move(creating);
    co_return created.status();
  }

  TestAuthority ca_;
  pki::ClusterTrust trust_;
  ServerThread thread_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> api_;
  std::unique_ptr<client::Client> client_;
  auth::JoinTokenRecord record_;
};

// Listens with a certificate of its own authority and writes down what it hears.
class Stranger final : public http::Handler {
 public:
  enum class Offers : unsigned char { own_authority, true_authority };
  Stranger(Offers offers, const std::string& true_ca_pem)
      : offered_(offers == Offers::own_authority ? ca_.pair.certificate_pem : true_ca_pem) {
    thread_.start(*this, ca_.server_identity());
  }
  ~Stranger() override { thread_.stop(); }
  std::uint16_t port() const { return thread_.port(); }
  std::vector<std::string> paths() {
    std::lock_guard lock(mutex_);
    return paths_;
  }
  std::size_t bytes_of_bodies() {
    std::lock_guard lock(mutex_);
    return bytes_;
  }
  void on_second_request(std::function<void()> then) { then_ = std::move(then); }

  base::Task<http::Response> handle(http::Request request) override {
    std::size_t count = 0;
    {
      std::lock_guard lock(mutex_);
      paths_.emplace_back(request.path());
      bytes_ += request.body.size();
      count = paths_.size();
    }
    if (count == 2 && then_) then_();
    http::Response response;
    response.body.emplace_back(
        codec::write_json(codec::Json::object({{"certificateAuthorities", offered_}})));
    co_return response;
  }
  std::optional<http::Response> handle_inline(const http::Request&) override {
    return std::nullopt;
  }

 private:
  TestAuthority ca_;
  const std::string offered_;
  std::mutex mutex_;
  std::vector<std::string> paths_;
  std::size_t bytes_ = 0;
  std::function<void()> then_;
  ServerThread thread_;
};

}  // namespace skiff::app_test
