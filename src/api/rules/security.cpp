#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::size_t kSysctlBytesMax = 253;

void validate_id(const Json& id, const std::string& path, ErrorList& errors) {
  if (id.is_null()) return;
  for (const auto& message : check_user_id(id.as_int())) errors.invalid(path, id, message);
}

void validate_seccomp(const Json& profile, const std::string& path, ErrorList& errors) {
  if (profile.is_null()) return;
  std::string_view type = profile["type"].as_string();
  if (type.empty())
    errors.required(child(path, "type"), "type is required when seccompProfile is set");
  else if (!contains({"Localhost", "RuntimeDefault", "Unconfined"}, type))
    errors.not_supported(child(path, "type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
  const Json& local = profile["localhostProfile"];
  const std::string local_path = child(path, "localhostProfile");
  if (type != "Localhost") {
    if (!local.is_null())
      errors.invalid(local_path, profile, "can only be set when seccomp type is Localhost");
  } else if (local.is_null()) {
    errors.required(local_path, "must be set when seccomp type is Localhost");
  } else {
    validate_local_path(local.as_string(), local_path, errors);
  }
}

void validate_app_armor(const Json& profile, const std::string& path, ErrorList& errors) {
  if (profile.is_null()) return;
  std::string_view type = profile["type"].as_string();
  const Json& local = profile["localhostProfile"];
  const std::string local_path = child(path, "localhostProfile");
  if (type == "Localhost") {
    if (base::trim(local.as_string()).empty())
      errors.required(local_path, "must be set when AppArmor type is Localhost");
    else if (base::trim(local.as_string()) != local.as_string())
      errors.invalid(local_path, local, "must not be padded with whitespace");
  } else if (type == "RuntimeDefault" || type == "Unconfined") {
    if (!local.is_null())
      errors.invalid(local_path, local, "can only be set when AppArmor type is Localhost");
  } else if (type.empty()) {
    errors.required(child(path, "type"), "type is required when appArmorProfile is set");
  } else {
    errors.not_supported(child(path, "type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
  }
}

bool is_sysctl_name(std::string_view name) {
  if (name.empty() || name.size() > kSysctlBytesMax) return false;
  std::string dotted(name);
  for (char& c : dotted)
    if (c == '/') c = '.';
  for (auto part : base::split(dotted, '.')) {
    auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (part.empty() || !plain(part.front()) || !plain(part.back())) return false;
    for (char c : part)
      if (!plain(c) && c != '-' && c != '_') return false;
  }
  return true;
}

void validate_sysctls(const Json& sysctls, const std::string& path, ErrorList& errors) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < sysctls.items().size(); ++i) {
    const std::string name_path = child(index(path, i), "name");
    std::string_view name = sysctls.item(i)["name"].as_string();
    if (name.empty())
      errors.required(name_path);
    else if (!is_sysctl_name(name))
      errors.invalid(name_path, name,
                     concat("must have at most ", kSysctlBytesMax,
                            " characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*"
                            "[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"));
    else if (!names.insert(name).second)
      errors.duplicate(name_path, name);
  }
}

}  // namespace

void validate_pod_security(const Json& spec, const std::string& path, ErrorList& errors) {
  const Json& context = spec["securityContext"];
  for (std::string_view field : {"fsGroup", "runAsUser", "runAsGroup"})
    validate_id(context[field], child(path, field), errors);
  const auto& groups = context["supplementalGroups"].items();
  for (std::size_t i = 0; i < groups.size(); ++i)
    validate_id(groups[i], index(child(path, "supplementalGroups"), i), errors);
  if (spec["shareProcessNamespace"].as_bool() && spec["hostPID"].as_bool())
    errors.invalid(child(path, "shareProcessNamespace"), Json(true),
                   "ShareProcessNamespace and HostPID cannot both be enabled");
  validate_sysctls(context["sysctls"], child(path, "sysctls"), errors);
  if (const Json& policy = context["fsGroupChangePolicy"];
      !policy.is_null() && !contains({"Always", "OnRootMismatch"}, policy.as_string()))
    errors.not_supported(child(path, "fsGroupChangePolicy"), policy.as_string(),
                         {"Always", "OnRootMismatch"});
  validate_seccomp(context["seccompProfile"], child(path, "seccompProfile"), errors);
  validate_app_armor(context["appArmorProfile"], child(path, "appArmorProfile"), errors);
  if (const Json& policy = context["supplementalGroupsPolicy"];
      !policy.is_null() && !contains({"Merge", "Strict"}, policy.as_string()))
    errors.not_supported(child(path, "supplementalGroupsPolicy"), policy.as_string(),
                         {"Merge", "Strict"});
}

void validate_container_security(const Json& context, bool host_users, const std::string& path,
                                 ErrorList& errors) {
  if (context.is_null()) return;
  validate_id(context["runAsUser"], child(path, "runAsUser"), errors);
  validate_id(context["runAsGroup"], child(path, "runAsGroup"), errors);
  if (const Json& mount = context["procMount"]; !mount.is_null()) {
    if (!contains({"Default", "Unmasked"}, mount.as_string()))
      errors.not_supported(child(path, "procMount"), mount.as_string(), {"Default", "Unmasked"});
    if (host_users && mount.as_string() == "Unmasked")
      errors.invalid(child(path, "procMount"), mount,
                     "`hostUsers` must be false to use `Unmasked`");
  }
  validate_seccomp(context["seccompProfile"], child(path, "seccompProfile"), errors);
  const Json& escalation = context["allowPrivilegeEscalation"];
  if (!escalation.is_null() && !escalation.as_bool()) {
    if (context["privileged"].as_bool())
      errors.invalid(path, context,
                     "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    for (const auto& capability : context["capabilities"]["add"].items())
      if (capability.as_string() == "CAP_SYS_ADMIN")
        errors.invalid(path, context,
                       "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                       "CAP_SYS_ADMIN");
  }
  validate_app_armor(context["appArmorProfile"], child(path, "appArmorProfile"), errors);
}

}  // namespace skiff::api::rules
