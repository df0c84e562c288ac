#include <skiff/api/quantity.h>

#include <algorithm>
#include <string>

#include "api/rules/defaults_rules.h"

namespace skiff::api {

namespace {

codec::Json* array_member(codec::Json& object, std::string_view key) {
  codec::Json* found = object.find(key);
  return found != nullptr && found->is_array() ? found : nullptr;
}

bool is_unset(const codec::Json& object, std::string_view key) {
  const codec::Json& value = object[key];
  return value.is_null() || (value.is_string() && value.empty());
}

// The tag of an image reference as Docker reads it: "latest" without tag and digest.
std::string_view image_tag(std::string_view image) {
  const std::size_t digest = image.find('@');
  const std::string_view name = image.substr(0, digest);
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
    return name.substr(colon + 1);
  return digest == std::string_view::npos ? "latest" : "";
}

void default_pull_policy(codec::Json& object, std::string_view policy, std::string_view image) {
  if (!is_unset(object, policy)) return;
  const std::string_view name = object.at({image}).as_string();
  const bool always = !name.empty() && image_tag(name) == "latest";
  object.set(policy, always ? "Always" : "IfNotPresent");
}

void default_container(codec::Json& container) {
  default_pull_policy(container, "imagePullPolicy", "image");
}

void default_volume(codec::Json& volume) {
  const auto& members = volume.members();
  const bool has_source = std::any_of(
      members.begin(), members.end(),
      [](const codec::JsonMember& m) { return m.key != "name" && m.value.is_object(); });
  if (!has_source) volume.set("emptyDir", codec::Json::object());
  codec::Json* image = volume.find("image");
  if (image != nullptr && image->is_object())
    default_pull_policy(*image, "pullPolicy", "reference");
}

void default_requests(codec::Json& containers) {
  for (codec::Json& container : containers.mutable_items()) {
    if (!container.at({"resources", "limits"}).is_object()) continue;
    codec::Json& resources = container["resources"];
    const codec::Json limits = resources["limits"];
    codec::Json& requests = resources["requests"];
    if (requests.is_null()) requests = codec::Json::object();
    for (const codec::JsonMember& limit : limits.members())
      if (!requests.contains(limit.key)) requests.set(limit.key, limit.value);
    if (requests.empty()) resources.erase("requests");
  }
}

void default_host_ports(codec::Json& containers) {
  for (codec::Json& container : containers.mutable_items()) {
    codec::Json* ports = container.is_object() ? array_member(container, "ports") : nullptr;
    if (ports == nullptr) continue;
    for (codec::Json& port : ports->mutable_items())
      if (port.is_object() && port.at({"hostPort"}).as_int() == 0)
        port.set("hostPort", port.at({"containerPort"}).as_int());
  }
}

// Only for pods: templates stay as they were written.
void default_pod(codec::Json& pod) {
  codec::Json* spec = pod.find("spec");
  if (spec == nullptr || !spec->is_object()) return;
  if (!spec->contains("enableServiceLinks")) spec->set("enableServiceLinks", true);
  for (std::string_view key : {"containers", "initContainers"}) {
    codec::Json* containers = array_member(*spec, key);
    if (containers == nullptr) continue;
    default_requests(*containers);
    if (spec->at({"hostNetwork"}).as_bool()) default_host_ports(*containers);
  }
}

// serviceAccount is the old name of serviceAccountName; upstream always shows both.
void default_pod_spec(codec::Json& spec) {
  if (is_unset(spec, "serviceAccountName") && !is_unset(spec, "serviceAccount"))
    spec.set("serviceAccountName", std::string(spec.at({"serviceAccount"}).as_string()));
  if (!is_unset(spec, "serviceAccountName"))
    spec.set("serviceAccount", std::string(spec.at({"serviceAccountName"}).as_string()));
}

void default_namespace(codec::Json& object) {
  const std::string name(object.at({"metadata", "name"}).as_string());
  if (name.empty()) return;
  codec::Json& labels = object["metadata"]["labels"];
  if (labels.is_null()) labels = codec::Json::object();
  labels.set("kubernetes.io/metadata.name", name);
}

void default_node_status(codec::Json& status) {
  if (status.contains("allocatable") || !status.contains("capacity")) return;
  status.set("allocatable", codec::Json(status.at({"capacity"})));
}

// Amounts finer than a thousandth are rounded up.
void round_amounts(codec::Json& object, std::string_view key) {
  codec::Json* list = object.find(key);
  if (list == nullptr || !list->is_object()) return;
  for (codec::JsonMember& amount : list->mutable_members()) {
    const std::string_view text = amount.value.as_string();
    if (text.empty() || (text.back() != 'n' && text.back() != 'u')) continue;
    auto quantity = Quantity::parse(text);
    if (quantity) amount.value = Quantity::from_milli(quantity->milli_value()).to_string();
  }
}

void round_node_status(codec::Json& status) {
  default_node_status(status);
  round_amounts(status, "capacity");
  round_amounts(status, "allocatable");
}

void round_requirements(codec::Json& requirements) {
  round_amounts(requirements, "limits");
  round_amounts(requirements, "requests");
}

constexpr DefaultRule kRules[] = {
    {"io.k8s.api.core.v1.Container", default_container},
    {"io.k8s.api.core.v1.EphemeralContainer", default_container},
    {"io.k8s.api.core.v1.Namespace", default_namespace},
    {"io.k8s.api.core.v1.NodeStatus", round_node_status},
    {"io.k8s.api.core.v1.Pod", default_pod},
    {"io.k8s.api.core.v1.PodSpec", default_pod_spec},
    {"io.k8s.api.core.v1.ResourceRequirements", round_requirements},
    {"io.k8s.api.core.v1.Volume", default_volume},
};

}  // namespace

std::span<const DefaultRule> core_default_rules() { return kRules; }

}  // namespace skiff::api
