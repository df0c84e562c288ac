#include <skiff/api/pod_references.h>

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <utility>

namespace skiff::api {

using codec::Json;

namespace {

using Visit = std::function<bool(PodReference kind, std::string_view name)>;

// Each returns whether to go on.
bool visit_member(const Json& parent, std::string_view member, std::string_view name_member,
                  PodReference kind, const Visit& visit) {
  const Json* reference = parent.find(member);
  return reference == nullptr || visit(kind, (*reference)[name_member].as_string());
}

bool visit_container(const Json& container, const Visit& visit) {
  for (const auto& source : container["envFrom"].items()) {
    if (!visit_member(source, "configMapRef", "name", PodReference::config_map, visit) ||
        !visit_member(source, "secretRef", "name", PodReference::secret, visit))
      return false;
  }
  for (const auto& variable : container["env"].items()) {
    const Json& from = variable["valueFrom"];
    if (!visit_member(from, "configMapKeyRef", "name", PodReference::config_map, visit) ||
        !visit_member(from, "secretKeyRef", "name", PodReference::secret, visit))
      return false;
  }
  return true;
}

// Volumes of drivers: where each names the secret that it mounts with.
constexpr std::pair<std::string_view, std::string_view> kDriverSecrets[] = {
    {"cephfs", "secretRef"},    {"cinder", "secretRef"},         {"flexVolume", "secretRef"},
    {"rbd", "secretRef"},       {"scaleIO", "secretRef"},        {"iscsi", "secretRef"},
    {"storageos", "secretRef"}, {"csi", "nodePublishSecretRef"},
};

bool visit_driver(const Json& volume, const Visit& visit) {
  auto azure = volume["azureFile"]["secretName"].as_string();
  if (!azure.empty() && !visit(PodReference::secret, azure)) return false;
  for (const auto& [driver, member] : kDriverSecrets) {
    const Json& source = volume[driver];
    if (!source.is_null() && !visit_member(source, member, "name", PodReference::secret, visit))
      return false;
  }
  return true;
}

bool visit_volume(const Json& pod, const Json& volume, const Visit& visit) {
  if (!visit_member(volume, "configMap", "name", PodReference::config_map, visit) ||
      !visit_member(volume, "secret", "secretName", PodReference::secret, visit) ||
      !visit_member(volume, "persistentVolumeClaim", "claimName", PodReference::claim, visit) ||
      !visit_driver(volume, visit))
    return false;
  // A claim that is made for the pod has the names of both.
  if (volume.find("ephemeral") != nullptr &&
      !visit(PodReference::claim, base::concat(name_of(pod), "-", volume["name"].as_string())))
    return false;
  for (const auto& source : volume["projected"]["sources"].items()) {
    if (!visit_member(source, "configMap", "name", PodReference::config_map, visit) ||
        !visit_member(source, "secret", "name", PodReference::secret, visit))
      return false;
    if (source.find("serviceAccountToken") != nullptr &&
        !visit(PodReference::service_account_token, {}))
      return false;
  }
  return true;
}

}  // namespace

void visit_pod_references(const Json& pod, const Visit& visit) {
  const Json& spec = pod["spec"];
  auto account = spec["serviceAccountName"].as_string();
  if (!account.empty() && !visit(PodReference::service_account, account)) return;
  for (const auto& reference : spec["imagePullSecrets"].items())
    if (!visit(PodReference::secret, reference["name"].as_string())) return;
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    for (const auto& container : spec[list].items())
      if (!visit_container(container, visit)) return;
  for (const auto& volume : spec["volumes"].items())
    if (!visit_volume(pod, volume, visit)) return;
}

}  // namespace skiff::api
