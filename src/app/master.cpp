#include "app/master.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>

#include "app/credentials/service_account_keys.h"
#include "app/limits.h"

#include <malloc.h>

namespace skiff::app {

class Master::Environment final : public store::StoreEnvironment {
 public:
  explicit Environment(base::Timers& timers) : timers_(timers) {}
  base::Timers& timers() override { return timers_; }

 private:
  base::Timers& timers_;
};

Master::Master(const Config& config, Threads& threads)
    : config_(config),
      threads_(threads),
      environment_(std::make_unique<Environment>(*threads.io)),
      trimmer_(*threads.io, *threads.blocking, [] { malloc_trim(0); }),
      background_(*threads.io) {}

Master::~Master() = default;

base::Result<std::unique_ptr<Master>> Master::open(const Config& config,
                                                   const MasterIdentity& identity,
                                                   const ClusterKeys& keys, Threads& threads,
                                                   client::NodeChannel* node_channel) {
  std::unique_ptr<Master> master(new Master(config, threads));
  store::SqliteOptions store_options;
  store_options.folder = config.data_dir + "/state";
  SKIFF_ASSIGN_OR_RETURN(master->store_,
                         store::open_sqlite_store(store_options, *master->environment_));
  // The store names damaged records in the log itself.
  SKIFF_ASSIGN_OR_RETURN(master->hub_, watch::make_hub(*master->store_, {}, nullptr));

  apiserver::Options options;
  options.workers = threads.workers.get();
  options.timers = threads.io.get();
  options.random = &base::secure_random();
  options.store = master->store_.get();
  options.hub = master->hub_.get();
  options.node_channel = node_channel;
  options.trust = keys.trust.get();
  options.local_node_name = identity.get().name;
  options.server_names = server_identity(config, identity.get()).dns_names;
  options.cluster_cidr = config.cluster_cidr;
  options.service_account_key_pem = keys.service_account_key_pem;
  options.service_account_older_keys_pem = keys.service_account_older_keys_pem;
  options.service_account_issuer =
      base::concat("https://kubernetes.default.svc.", config.cluster_domain);
  options.service_cidr = config.service_cidr;
  options.node_port_first = config.node_port_first;
  options.node_port_last = config.node_port_last;
  options.cluster_dns = config.cluster_dns;
  options.cluster_domain = config.cluster_domain;
  options.advertise_address = [&identity] { return identity.advertised_ip(); };
  options.advertise_port = config.https_port;
  SKIFF_ASSIGN_OR_RETURN(master->api_, apiserver::make_apiserver(std::move(options)));

  http::TlsServerOptions tls;
  tls.certificate_pem = keys.server.certificate_pem;
  tls.key_pem = keys.server.key_pem;
  tls.client_ca_pem = keys.trust->bundle_pem();
  tls.now = [] { return loop::real_clock().now(); };
  SKIFF_ASSIGN_OR_RETURN(master->tls_, http::make_tls_server_context(tls));
  http::ServerOptions server;
  server.addresses = {config.bind_address.empty() ? "0.0.0.0" : config.bind_address};
  server.port = config.https_port;
  server.large_answer_bytes = kLargeAnswerBytes;
  server.on_large_answer = [trimmer = &master->trimmer_] { trimmer->note(); };
  SKIFF_ASSIGN_OR_RETURN(master->front_, Front::open(threads, master->api_->handler(), master->tls_,
                                                     std::move(server)));
  return master;
}

base::Task<base::Status> Master::start() {
  front_->start();
  auto made = co_await api_->ensure_bootstrap_objects();
  if (!made) co_return made.with_context("make the cluster's first objects");
  background_.spawn(api_->run(background_.token()));
  background_.spawn(follow_service_account_keys(config_.data_dir + "/pki", *threads_.io,
                                                *threads_.blocking, api_->service_account_tokens(),
                                                background_.token()));
  co_return base::Status::ok();
}

void Master::follow_trust() {
  front_->end_untrusted();
  api_->tell_authorities_changed();
}

base::Task<void> Master::stop() {
  co_await front_->stop(kStopGrace);
  background_.cancel();
  co_await background_.join();
}

base::Status Master::close() { return store_->close(); }

}  // namespace skiff::app
