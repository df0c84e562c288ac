#include "agent/pod/pod_model.h"

#include <skiff/base/strings.h>

#include "agent/limits.h"

namespace skiff::agent {

namespace {
const codec::Json& null_json() {
  static const codec::Json null;
  return null;
}
}  // namespace

std::vector<ContainerRecord> make_container_records(const codec::Json& pod) {
  std::vector<ContainerRecord> records;
  for (const auto& container : pod["spec"]["initContainers"].items()) {
    ContainerRecord record;
    record.name = container["name"].as_string();
    record.kind = container["restartPolicy"].as_string() == "Always" ? ContainerKind::sidecar
                                                                     : ContainerKind::init;
    record.image = container["image"].as_string();
    records.push_back(std::move(record));
  }
  for (const auto& container : pod["spec"]["containers"].items()) {
    ContainerRecord record;
    record.name = container["name"].as_string();
    record.image = container["image"].as_string();
    records.push_back(std::move(record));
  }
  return records;
}

const codec::Json& find_container(const codec::Json& pod, std::string_view name) {
  for (const char* list : {"initContainers", "containers"})
    for (const auto& container : pod["spec"][list].items())
      if (container["name"].as_string() == name) return container;
  return null_json();
}

std::string container_field_path(const codec::Json& pod, std::string_view name) {
  for (const auto& container : pod["spec"]["initContainers"].items())
    if (container["name"].as_string() == name)
      return base::concat("spec.initContainers{", name, "}");
  return base::concat("spec.containers{", name, "}");
}

std::string_view restart_policy_of(const codec::Json& pod) {
  return pod["spec"]["restartPolicy"].as_string("Always");
}

std::int64_t grace_seconds_of(const codec::Json& pod) {
  std::int64_t spec = pod["spec"]["terminationGracePeriodSeconds"].as_int(kDefaultGraceSeconds);
  return pod["metadata"]["deletionGracePeriodSeconds"].as_int(spec);
}

std::string format_pod(const codec::Json& pod) {
  const auto& metadata = pod["metadata"];
  return base::concat(metadata["name"].as_string(), "_", metadata["namespace"].as_string(), "(",
                      metadata["uid"].as_string(), ")");
}

}  // namespace skiff::agent
