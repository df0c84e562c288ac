// Role based access control: which rules roles and bindings give to whom.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/function.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

inline constexpr std::string_view kRbacGroup = "rbac.authorization.k8s.io";

// The objects that RBAC is made of. Thread-safe.
class RoleSource {
 public:
  virtual ~RoleSource() = default;
  enum class Kind : unsigned char { cluster_role, role, cluster_role_binding, role_binding };
  // Another number after every change of one of them, before the writer hears that it is done.
  virtual std::uint64_t version() const = 0;
  // All of them as they were at one moment, which is not before what an earlier version() said:
  // a role and a binding that were never there together must not meet. Those of a kind come in the
  // order of their keys. A key is "namespace/name", or "name" for a cluster-scoped object.
  using Visit = base::UniqueFunction<void(Kind, std::string_view key, const api::StoredObject&)>;
  virtual void scan(Visit visit) const = 0;
};

// A rule of a role. Views into what the role was read from.
struct PolicyRule {
  using Words = std::vector<std::string_view>;
  Words verbs, api_groups, resources, resource_names, non_resource_urls;
};
using PolicyRules = std::vector<PolicyRule>;

// The rules of a Role or ClusterRole; views into `role`.
PolicyRules policy_rules(const codec::Json& role);

struct ResolvedRules {
  PolicyRules rules;
  std::vector<std::string> errors;    // a sentence for each role that is bound but not there
  std::shared_ptr<const void> owner;  // of what the views point into
};

// Never denies, only allows. Thread-safe.
class Rbac : public Authorizer {
 public:
  // What the user may do cluster-wide and, when one is named, in the namespace.
  virtual ResolvedRules rules_for(const User& user, std::string_view namespace_name) const = 0;
  // The rules of the role that a binding in the namespace (empty: cluster-wide) refers to; nullopt
  // when there is no such role. `kind` is "Role" or "ClusterRole".
  virtual std::optional<ResolvedRules> role_rules(std::string_view kind, std::string_view name,
                                                  std::string_view namespace_name) const = 0;
};
// The source outlives it.
std::unique_ptr<Rbac> make_rbac(const RoleSource& source);

// What of `wanted` is not covered by `held`, one verb on one resource each.
PolicyRules missing_rules(const PolicyRules& held, const PolicyRules& wanted);

// upstream's sentence for the missing rules of an escalation; nullopt when `held` covers `wanted`.
std::optional<std::string> escalation_detail(const User& user, const ResolvedRules& held,
                                             const PolicyRules& wanted);

}  // namespace skiff::auth
