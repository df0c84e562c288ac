// One request on its way through filters and handlers, and what they all share.
#pragma once

#include <skiff/admission/admission.h>
#include <skiff/api/outcome.h>
#include <skiff/apiserver/apiserver.h>
#include <skiff/auth/auth.h>
#include <skiff/auth/rbac.h>
#include <skiff/auth/service_account_token.h>
#include <skiff/base/age.h>
#include <skiff/http/message.h>
#include <skiff/registry/registry.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/request_info.h"

namespace skiff::apiserver {

class ChangeDeltas;
class EventEncodings;
class ContinueSnapshots;
class LegacyTokenLabels;
class FailureLimit;
class Metrics;
class Tunnels;

// What handlers use; owned by the server, thread-safe.
struct Services {
  Options options;
  std::unique_ptr<base::AgeMeter> ages;
  std::unique_ptr<auth::ObjectReader> reader;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<admission::Chain> admission;
  std::unique_ptr<LegacyTokenLabels> legacy_token_labels;
  std::unique_ptr<auth::ServiceAccountTokens> tokens;
  std::unique_ptr<auth::TokenAuthenticator> bootstrap_tokens;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::unique_ptr<auth::RoleSource> roles;
  std::unique_ptr<auth::Rbac> rbac;
  std::unique_ptr<auth::PodSource> pods;
  std::unique_ptr<auth::Authorizer> authorizer;
  std::unique_ptr<EventEncodings> encodings;
  std::unique_ptr<ChangeDeltas> deltas;
  std::unique_ptr<ContinueSnapshots> continues;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<Tunnels> tunnels;
  std::unique_ptr<FailureLimit> join_failures;
  std::atomic<bool> bootstrapped{false};  // the first objects of the cluster are there
  std::atomic<int> reads_in_flight{0};
  std::atomic<int> writes_in_flight{0};

  Services();
  ~Services();
  const base::Clock& clock() const { return options.timers->clock(); }
  // Where this master is reached at the moment; empty: it has no address.
  std::string advertised_address() const {
    return options.advertise_address ? options.advertise_address() : std::string();
  }
  base::AgeOf age_of() const { return ages->reader(); }
};

// Lives as long as its request. Thread-compatible.
struct RequestContext {
  Services& services;
  http::Request request;
  http::Query query;
  RequestInfo info;
  auth::User user;
  std::vector<std::string> warnings;

  std::string_view parameter(std::string_view name) const { return query_value(query, name); }
  // The scope of info in the registry. REQUIRES: info.type.
  registry::Scope scope() const;
};

using ResponseOutcome = api::Outcome<http::Response>;

}  // namespace skiff::apiserver
