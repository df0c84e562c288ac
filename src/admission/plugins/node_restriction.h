// The rules for what a node writes, one function per kind. plugins/node_restriction.cpp chooses.
#pragma once

#include <string>
#include <string_view>

#include "admission/plugin.h"

namespace skiff::admission {

// A write of a node. Lives as long as its request.
struct NodeWrite {
  const Attributes& attributes;
  std::string_view node;
  const codec::Json& object;
  const codec::Json& live;
  const auth::ObjectReader& reader;
  const auth::Authorizer* authorizer;  // of what roles give a node beside

  api::ApiError refuse(std::string_view detail) const;
  // "CREATE", "UPDATE", "DELETE".
  std::string_view operation() const;
};

api::Outcome<> restrict_pod(const NodeWrite& write);
api::Outcome<> restrict_node(const NodeWrite& write);
api::Outcome<> restrict_token(const NodeWrite& write);

// What of other objects a mirror pod names, in upstream's words; empty when nothing.
std::string_view api_reference_of(const codec::Json& pod);

}  // namespace skiff::admission
