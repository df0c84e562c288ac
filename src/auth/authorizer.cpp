#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include "auth/node_authorizer.h"

namespace skiff::auth {

namespace {

struct PathRule {
  std::string_view path;
  bool and_below;
};
// Upstream's ClusterRole system:public-info-viewer.
constexpr PathRule kPublicPaths[] = {
    {"/healthz", true}, {"/livez", true}, {"/readyz", true}, {"/version", true}};
// … and system:discovery, for everybody who is somebody.
constexpr PathRule kDiscoveryPaths[] = {{"/api", true}, {"/apis", true}, {"/openapi", true}};

bool covers(const PathRule& rule, std::string_view path) {
  if (path == rule.path) return true;
  return rule.and_below && base::starts_with(path, rule.path) &&
         path.substr(rule.path.size(), 1) == "/";
}

// Immutable.
class PathAuthorizer final : public Authorizer {
 public:
  Decision authorize(const Attributes& a) const override {
    if (a.is_resource || (a.verb != "get" && a.verb != "head")) return {};
    for (const auto& rule : kPublicPaths) {
      if (covers(rule, a.path)) return {Decision::Verdict::allow, {}};
    }
    if (!a.user->in_group(kAuthenticatedGroup)) return {};
    for (const auto& rule : kDiscoveryPaths) {
      if (covers(rule, a.path)) return {Decision::Verdict::allow, {}};
    }
    return {};
  }
};

// Immutable.
class MastersAuthorizer final : public Authorizer {
 public:
  Decision authorize(const Attributes& a) const override {
    if (a.user->in_group(kMastersGroup)) return {Decision::Verdict::allow, {}};
    return {};
  }
};

// Asks each in order; the first allow or deny wins. Immutable.
class ChainAuthorizer final : public Authorizer {
 public:
  explicit ChainAuthorizer(const ObjectReader& reader) : nodes_(reader) {}

  Decision authorize(const Attributes& a) const override {
    std::string reasons;
    for (const Authorizer* member :
         {static_cast<const Authorizer*>(&masters_), static_cast<const Authorizer*>(&paths_),
          static_cast<const Authorizer*>(&nodes_)}) {
      auto decision = member->authorize(a);
      if (decision.verdict != Decision::Verdict::no_opinion) return decision;
      if (decision.reason.empty()) continue;
      if (!reasons.empty()) reasons += ", ";
      reasons += decision.reason;
    }
    return {Decision::Verdict::no_opinion, std::move(reasons)};
  }

 private:
  MastersAuthorizer masters_;
  PathAuthorizer paths_;
  NodeAuthorizer nodes_;
};

}  // namespace

std::unique_ptr<Authorizer> make_authorizer(const ObjectReader& reader) {
  return std::make_unique<ChainAuthorizer>(reader);
}

std::string forbidden_detail(const Attributes& a, std::string_view reason) {
  std::string text = base::concat("User ", base::quote(a.user->name), " cannot ", a.verb);
  if (!a.is_resource) {
    text += base::concat(" path ", base::quote(a.path));
  } else {
    std::string resource(a.resource);
    if (!a.subresource.empty()) resource += base::concat("/", a.subresource);
    text +=
        base::concat(" resource ", base::quote(resource), " in API group ", base::quote(a.group));
    text += a.namespace_name.empty()
                ? std::string(" at the cluster scope")
                : base::concat(" in the namespace ", base::quote(a.namespace_name));
  }
  if (!reason.empty()) text += base::concat(": ", reason);
  return text;
}

}  // namespace skiff::auth
