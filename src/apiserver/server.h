// The server behind the contract: an http::Handler that runs filters, then the route.
#pragma once

#include <skiff/apiserver/apiserver.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

// Thread-safe.
class ServerImpl final : public ApiServer, public http::Handler {
 public:
  explicit ServerImpl(std::unique_ptr<Services> services) : services_(std::move(services)) {}

  http::Handler& handler() override { return *this; }
  client::NodeChannel& node_channel() override;
  void tell_authorities_changed() override;
  std::unique_ptr<client::Client> loopback_client(auth::User user) override;
  auth::ServiceAccountTokens& service_account_tokens() override { return *services_->tokens; }
  base::Task<base::Status> ensure_bootstrap_objects() override;
  base::Task<void> run(base::CancelToken cancel) override;

  base::Task<http::Response> handle(http::Request request) override;
  std::optional<http::Response> handle_inline(const http::Request& request) override;

 private:
  const std::unique_ptr<Services> services_;
};

// A client of `services` that brings its user. It must not outlive them.
std::unique_ptr<client::Client> make_loopback_client(Services& services, auth::User user);

// Makes what every cluster has, through `client` as an administrator.
base::Task<base::Status> ensure_bootstrap(Services& services, client::Client& client);

}  // namespace skiff::apiserver
