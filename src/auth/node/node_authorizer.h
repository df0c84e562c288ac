// What a node may do: itself, its pods, and what its pods name.
#pragma once

#include <skiff/auth/auth.h>

#include <string_view>

#include "auth/node/current_graph.h"

namespace skiff::auth {

// Thread-safe. Allocates nothing for an allowed request, but for lists that select.
class NodeAuthorizer final : public Authorizer {
 public:
  explicit NodeAuthorizer(const PodSource& pods) : graph_(pods) {}
  Decision authorize(const Attributes& attributes) const override;

 private:
  Decision authorize_core(std::string_view node, const Attributes& attributes) const;
  Decision authorize_pod(std::string_view node, const Attributes& attributes) const;
  Decision authorize_account(std::string_view node, const Attributes& attributes) const;
  // Secrets and config maps: also a list or watch that selects one by its name.
  Decision authorize_read(std::string_view node, api::PodReference kind,
                          const Attributes& attributes) const;
  Decision authorize_get(std::string_view node, api::PodReference kind,
                         const Attributes& attributes) const;
  Decision authorize_named(std::string_view node, api::PodReference kind,
                           const Attributes& attributes) const;
  CurrentGraph graph_;
};

}  // namespace skiff::auth
