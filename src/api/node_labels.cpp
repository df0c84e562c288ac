#include <skiff/api/node_labels.h>
#include <skiff/base/strings.h>

namespace skiff::api {

namespace {

constexpr std::string_view kDescriptions[] = {
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
};

bool is_in_domain(std::string_view name, std::string_view domain) {
  if (!base::ends_with(name, domain)) return false;
  return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

}  // namespace

bool may_node_label_itself(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == key.npos) return true;
  const auto domain = key.substr(0, slash);
  if (is_in_domain(domain, "node-restriction.kubernetes.io")) return false;
  if (!is_in_domain(domain, "kubernetes.io") && !is_in_domain(domain, "k8s.io")) return true;
  if (is_in_domain(domain, "kubelet.kubernetes.io") || is_in_domain(domain, "node.kubernetes.io")) {
    return true;
  }
  for (auto label : kDescriptions) {
    if (key == label) return true;
  }
  return false;
}

}  // namespace skiff::api
