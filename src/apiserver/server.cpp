#include <skiff/apiserver/apiserver.h>

#include "apiserver/server.h"

#include <skiff/auth/bootstrap_token.h>

#include "apiserver/encode.h"
#include "apiserver/filters/filters.h"
#include "apiserver/join/failure_limit.h"
#include "apiserver/join/token_cleaner.h"
#include "apiserver/legacy_token_labels.h"
#include "apiserver/metrics.h"
#include "apiserver/pod_source.h"
#include "apiserver/respond.h"
#include "apiserver/roles/role_source.h"
#include "apiserver/routes.h"
#include "apiserver/selection.h"
#include "apiserver/tunnel/change_deltas.h"
#include "apiserver/tunnel/tunnels.h"

namespace skiff::apiserver {

Services::Services() = default;
Services::~Services() = default;

registry::Scope RequestContext::scope() const {
  SKIFF_ASSERT(info.type != nullptr);
  return {info.type, info.subresource, info.type->namespaced ? info.namespace_name : std::string(),
          info.name};
}

namespace {

// The latest objects as auth and admission read them. Thread-safe.
class HubReader final : public auth::ObjectReader {
 public:
  explicit HubReader(const watch::Hub& hub) : hub_(hub) {}

  api::StoredObject get(std::string_view group, std::string_view resource,
                        std::string_view namespace_name, std::string_view name) const override {
    auto snapshot = hub_.snapshot();
    auto entry = snapshot.get(registry::storage_key(group, resource, namespace_name, name));
    if (!entry) return {};
    return api::StoredObject(entry->value, entry->revision);
  }

  void scan(std::string_view group, std::string_view resource, std::string_view namespace_name,
            base::UniqueFunction<bool(const api::StoredObject&)> visit) const override {
    hub_.snapshot().scan(registry::storage_prefix(group, resource, namespace_name), {},
                         [&](const watch::Entry& entry) {
                           return visit(api::StoredObject(entry.value, entry.revision));
                         });
  }

 private:
  const watch::Hub& hub_;
};

// `services` own the tunnels.
TunnelOptions tunnel_options(Services& services) {
  TunnelOptions options;
  options.timers = services.options.timers;
  options.random = services.options.random;
  options.local = services.options.node_channel;
  options.local_node_name = services.options.local_node_name;
  options.client_of = [&services](const std::string& node) {
    return make_loopback_client(services, auth::node_user(node));
  };
  options.uid_of = [&services](const std::string& node) {
    auto stored = services.reader->get("", "nodes", "", node);
    return stored.empty() ? std::string() : std::string(stored.uid());
  };
  return options;
}

}  // namespace

base::Result<std::unique_ptr<ApiServer>> make_apiserver(Options options) {
  SKIFF_ASSERT(options.workers != nullptr && options.timers != nullptr);
  SKIFF_ASSERT(options.random != nullptr && options.store != nullptr && options.hub != nullptr);
  auto services = std::make_unique<Services>();
  services->reader = std::make_unique<HubReader>(*options.hub);

  registry::Options registry_options;
  registry_options.store = options.store;
  registry_options.hub = options.hub;
  registry_options.clock = &options.timers->clock();
  registry_options.random = options.random;
  registry_options.service_cidr = options.service_cidr;
  registry_options.node_port_first = options.node_port_first;
  registry_options.node_port_last = options.node_port_last;
  SKIFF_ASSIGN_OR_RETURN(services->registry, registry::make_registry(std::move(registry_options)));

  services->legacy_token_labels = std::make_unique<LegacyTokenLabels>();
  auth::TokenOptions token_options;
  token_options.keys.signing_key = options.service_account_key_pem;
  token_options.keys.older_keys = options.service_account_older_keys_pem;
  token_options.issuer = options.service_account_issuer;
  token_options.clock = &options.timers->clock();
  token_options.random = options.random;
  token_options.reader = services->reader.get();
  services->ages = std::make_unique<base::AgeMeter>(options.timers->clock());
  token_options.age_of = services->age_of();
  token_options.on_legacy_use = [labels = services->legacy_token_labels.get()](
                                    auth::LegacyTokenUse use) { labels->note(std::move(use)); };
  SKIFF_ASSIGN_OR_RETURN(services->tokens,
                         auth::make_service_account_tokens(std::move(token_options)));
  const std::vector<std::string> audiences{options.service_account_issuer};
  services->bootstrap_tokens = auth::make_bootstrap_tokens(
      *services->reader, options.timers->clock(), services->age_of(), audiences);
  services->authenticator = auth::make_authenticator(
      {services->tokens.get(), services->bootstrap_tokens.get()}, audiences);
  services->roles = make_role_source(*options.hub);
  services->rbac = auth::make_rbac(*services->roles);
  services->pods = make_pod_source(*options.hub);
  services->authorizer = auth::make_authorizer(*services->pods, *services->rbac);

  admission::Options admission_options;
  admission_options.reader = services->reader.get();
  admission_options.authorizer = services->authorizer.get();
  admission_options.timers = options.timers;
  admission_options.random = options.random;
  services->admission = admission::make_chain(admission_options);

  services->encodings = std::make_unique<EventEncodings>();
  services->deltas = std::make_unique<ChangeDeltas>();
  services->continues = std::make_unique<ContinueSnapshots>(*options.timers);
  services->metrics = std::make_unique<Metrics>();
  services->join_failures = std::make_unique<FailureLimit>(options.timers->clock());
  services->options = std::move(options);
  services->tunnels = std::make_unique<Tunnels>(tunnel_options(*services));
  return std::unique_ptr<ApiServer>(std::make_unique<ServerImpl>(std::move(services)));
}

base::Task<http::Response> ServerImpl::handle(http::Request request) {
  RequestContext context{*services_, std::move(request), {}, {}, {}, {}};
  auto permit = run_filters(context, nullptr);
  if (!permit.is_ok()) {
    services_->metrics->count_request(context.info.verb, permit.error().code);
    co_return error_response(permit.error(), query_bool(context.query, "pretty"));
  }
  auto task = route(context);
  auto outcome = co_await std::move(task);
  auto response = outcome.is_ok()
                      ? std::move(outcome).value()
                      : error_response(outcome.error(), query_bool(context.query, "pretty"));
  add_warnings(context.warnings, response);
  services_->metrics->count_request(context.info.verb, response.status);
  co_return response;
}

std::optional<http::Response> ServerImpl::handle_inline(const http::Request&) {
  return std::nullopt;
}

client::NodeChannel& ServerImpl::node_channel() { return *services_->tunnels; }

void ServerImpl::tell_authorities_changed() { services_->tunnels->tell_authorities_changed(); }

std::unique_ptr<client::Client> ServerImpl::loopback_client(auth::User user) {
  return make_loopback_client(*services_, std::move(user));
}

base::Task<base::Status> ServerImpl::ensure_bootstrap_objects() {
  auto client = make_loopback_client(*services_, auth::control_user("system:apiserver"));
  auto task = ensure_bootstrap(*services_, *client);
  auto status = co_await std::move(task);
  if (status.is_ok()) services_->bootstrapped = true;
  co_return status;
}

base::Task<void> ServerImpl::run(base::CancelToken cancel) {
  auto client = make_loopback_client(*services_, auth::control_user("system:apiserver"));
  base::TaskScope scope(*services_->options.workers);
  scope.spawn(services_->legacy_token_labels->run(*client, cancel));
  scope.spawn(clean_join_tokens(*services_, cancel));
  scope.spawn(base::keep_looking(*services_->ages, *services_->options.timers, cancel));
  auto task = services_->registry->expire_events(*services_->options.timers, cancel);
  co_await std::move(task);
  co_await scope.join();
}

}  // namespace skiff::apiserver
