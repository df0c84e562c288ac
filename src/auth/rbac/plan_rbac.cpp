#include "auth/rbac/plan_rbac.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::auth {

std::string aggregate_text(std::vector<std::string> errors) {
  std::vector<std::string> distinct;
  for (auto& error : errors) {
    if (std::find(distinct.begin(), distinct.end(), error) != distinct.end()) continue;
    distinct.push_back(std::move(error));
  }
  if (distinct.size() == 1) return std::move(distinct[0]);
  return base::concat("[", base::join(distinct, ", "), "]");
}

Decision plan_rbac(const RbacIndex& index, const Attributes& attributes) {
  const RuleQuestion question(attributes);
  Decision decision;
  bool incomplete = false;
  index.visit_user(*attributes.user, attributes.namespace_name, [&](const RbacIndex::Grant& grant) {
    if (grant.role == nullptr) {
      incomplete = true;
      return true;
    }
    if (!grant.role->allows(question)) return true;
    decision.verdict = Decision::Verdict::allow;
    if (attributes.wants_reason) {
      decision.reason = base::concat("RBAC: allowed by ", grant.binding->describe(*grant.subject));
    }
    return false;
  });
  if (decision.verdict == Decision::Verdict::allow || !incomplete) return decision;
  std::vector<std::string> errors;
  index.visit_user(*attributes.user, attributes.namespace_name, [&](const RbacIndex::Grant& grant) {
    if (grant.role == nullptr) errors.push_back(grant.binding->missing_role());
    return true;
  });
  decision.reason = base::concat("RBAC: ", aggregate_text(std::move(errors)));
  return decision;
}

}  // namespace skiff::auth
