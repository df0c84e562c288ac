// What a node may do: itself, its pods, and what its pods refer to.
#pragma once

#include <skiff/auth/auth.h>

#include <string_view>

namespace skiff::auth {

// Immutable. Relations are read from the latest objects at the time of the request, so there is
// no graph that lags behind.
class NodeAuthorizer final : public Authorizer {
 public:
  explicit NodeAuthorizer(const ObjectReader& reader) : reader_(reader) {}
  Decision authorize(const Attributes& attributes) const override;

 private:
  Decision authorize_pods(std::string_view node, const Attributes& attributes) const;
  // Secrets, config maps and service accounts: a pod of the node must name them.
  Decision authorize_referenced(std::string_view node, const Attributes& attributes) const;
  const ObjectReader& reader_;
};

// Whether the pod's spec refers to an object of its own namespace. `kind` is "secrets",
// "configmaps" or "serviceaccounts".
bool pod_refers_to(const codec::Json& pod, std::string_view kind, std::string_view name);

}  // namespace skiff::auth
