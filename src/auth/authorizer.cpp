#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include "auth/node/node_authorizer.h"

namespace skiff::auth {

namespace {

// Who watches over this process asks the first before there is any role; who joins has no role yet.
constexpr std::string_view kPublicPaths[] = {"/healthz", "/readyz", "/livez", "/skiff/v1/ca",
                                             "/skiff/v1/join"};

// Immutable.
class PublicPathAuthorizer final : public Authorizer {
 public:
  Decision authorize(const Attributes& a) const override {
    if (a.is_resource) return {};
    for (auto path : kPublicPaths) {
      if (a.path == path) return {Decision::Verdict::allow, {}};
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
  ChainAuthorizer(const PodSource& pods, const Authorizer& rbac) : nodes_(pods), rbac_(rbac) {}

  Decision authorize(const Attributes& a) const override {
    std::string reasons;
    const std::initializer_list<const Authorizer*> members = {&masters_, &paths_, &nodes_, &rbac_};
    for (const Authorizer* member : members) {
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
  PublicPathAuthorizer paths_;
  NodeAuthorizer nodes_;
  const Authorizer& rbac_;
};

}  // namespace

std::unique_ptr<Authorizer> make_authorizer(const PodSource& pods, const Authorizer& rbac) {
  return std::make_unique<ChainAuthorizer>(pods, rbac);
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
