#include "unit/apiserver/cluster_fixture.h"

#include <skiff/loop/loop.h>
#include <skiff/pki/certificate.h>

namespace skiff::test {

namespace {

constexpr auto kAuthorityLife = std::chrono::hours(24 * 365);
constexpr auto kStopGrace = std::chrono::milliseconds(50);

base::Task<bool> run_uplink(client::Uplink* uplink, base::CancelToken cancel) {
  auto running = uplink->run(cancel);
  co_await running;
  co_return true;
}

}  // namespace

LoopThread::LoopThread(std::string name) {
  auto made = loop::make_loop(std::move(name));
  SKIFF_ASSERT(made.is_ok());
  loop_ = std::move(*made);
  thread_ = std::thread([this] { loop_->run(); });
}

LoopThread::~LoopThread() {
  loop_->stop();
  thread_.join();
}

TestAuthority::TestAuthority() {
  auto pair = pki::make_authority("test-ca", loop::real_clock().now(), kAuthorityLife);
  SKIFF_ASSERT(pair.is_ok());
  auto opened = pki::open_authority(*pair);
  SKIFF_ASSERT(opened.is_ok());
  authority_ = std::move(*opened);
}

pki::KeyAndCertificate TestAuthority::issue(const pki::Identity& identity, bool for_server) const {
  pki::CertificateRequest request;
  request.identity = identity;
  request.for_server = for_server;
  request.for_client = !for_server;
  request.now = loop::real_clock().now();
  auto pair = authority_->issue(request);
  SKIFF_ASSERT(pair.is_ok());
  return *pair;
}

std::shared_ptr<http::TlsContext> TestAuthority::server_tls(const std::string& dns_name) const {
  pki::Identity identity;
  identity.subject.common_name = "kube-apiserver";
  identity.dns_names = {dns_name};
  auto pair = issue(identity, true);
  http::TlsServerOptions options;
  options.certificate_pem = pair.certificate_pem;
  options.key_pem = pair.key_pem;
  options.client_ca_pem = authority_->certificate_pem();
  auto context = http::make_tls_server_context(options);
  SKIFF_ASSERT(context.is_ok());
  return *context;
}

std::shared_ptr<http::TlsContext> TestAuthority::client_tls(const std::string& common_name,
                                                            const std::string& organization) const {
  pki::Identity identity;
  identity.subject = {common_name, {organization}};
  auto pair = issue(identity, false);
  http::TlsClientOptions options;
  options.ca_pem = authority_->certificate_pem();
  options.certificate_pem = pair.certificate_pem;
  options.key_pem = pair.key_pem;
  auto context = http::make_tls_client_context(options);
  SKIFF_ASSERT(context.is_ok());
  return *context;
}

TestMaster::TestMaster(const TestAuthority& authority, watch::HubOptions hub_options,
                       client::NodeChannel* local, const std::string& local_name)
    : authority_(authority) {
  loop::WorkPoolOptions pool;
  pool.name = "test-workers";
  auto workers = loop::make_work_pool(pool);
  SKIFF_ASSERT(workers.is_ok());
  workers_ = std::move(*workers);
  random_ = base::seeded_random(7);
  store_ = store::make_memory_store(thread_.loop());
  auto hub = watch::make_hub(*store_, hub_options, nullptr);
  SKIFF_ASSERT(hub.is_ok());
  hub_ = std::move(*hub);
  apiserver::Options options;
  options.workers = workers_.get();
  options.timers = &thread_.loop();
  options.random = random_.get();
  options.store = store_.get();
  options.hub = hub_.get();
  options.node_channel = local;
  options.local_node_name = local_name;
  auto key = pki::make_private_key();
  SKIFF_ASSERT(key.is_ok());
  options.service_account_key_pem = *key;
  options.advertise_address = [] { return std::string("192.0.2.1"); };
  auto made = apiserver::make_apiserver(std::move(options));
  SKIFF_ASSERT(made.is_ok());
  server_ = std::move(*made);
  SKIFF_ASSERT(thread_.run(server_->ensure_bootstrap_objects()).is_ok());
}

TestMaster::~TestMaster() {
  stop();
  thread_.call([this] {
    server_ = nullptr;
    hub_ = nullptr;
  });
}

void TestMaster::serve(std::uint16_t port, const std::string& dns_name) {
  auto tls = authority_.server_tls(dns_name);
  thread_.call([this, port, tls] {
    http::ServerOptions options;
    options.addresses = {"127.0.0.1"};
    options.port = port;
    auto made = http::make_server(thread_.loop(), *workers_, *this, tls, options);
    SKIFF_ASSERT(made.is_ok());
    http_ = std::move(*made);
    port_ = http_->port();
  });
}

void TestMaster::stop() {
  if (!http_) return;
  thread_.run(http_->stop(kStopGrace));
  thread_.call([this] { http_ = nullptr; });
}

base::Task<http::Response> TestMaster::handle(http::Request request) {
  if (intercept) {
    if (auto response = intercept(request)) co_return std::move(*response);
  }
  auto handling = server_->handler().handle(std::move(request));
  co_return co_await handling;
}

std::optional<http::Response> TestMaster::handle_inline(const http::Request&) {
  return std::nullopt;
}

TestWorker::TestWorker(std::shared_ptr<http::TlsContext> tls, std::vector<std::uint16_t> ports,
                       client::NodeSessionRunner node_session)
    : random_(base::seeded_random(reinterpret_cast<std::uintptr_t>(this))) {
  client::UplinkOptions options;
  options.loop = &thread_.loop();
  options.random = random_.get();
  options.node_name = "n1";
  for (auto port : ports) options.masters.push_back({"127.0.0.1", port});
  options.tls = std::move(tls);
  options.node_session = std::move(node_session);
  options.on_change = [this](bool) {
    std::lock_guard lock(mutex_);
    ++changes_;
    changed_.notify_all();
  };
  uplink_ = client::make_uplink(std::move(options));
  running_ = thread_.start(run_uplink(uplink_.get(), cancel_.token()));
}

TestWorker::~TestWorker() {
  stop();
  thread_.call([this] { uplink_ = nullptr; });
}

void TestWorker::stop() {
  if (!running_) return;
  cancel_.cancel();
  running_->get();
  running_.reset();
}

void TestWorker::wait_changes(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return changes_ >= count; });
}

}  // namespace skiff::test
