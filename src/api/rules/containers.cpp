#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::string_view kEnvFields[] = {"metadata.name",
                                           "metadata.namespace",
                                           "metadata.uid",
                                           "spec.nodeName",
                                           "spec.serviceAccountName",
                                           "status.hostIP",
                                           "status.hostIPs",
                                           "status.podIP",
                                           "status.podIPs"};

void validate_ports(const Json& ports, const std::string& path, ErrorList& errors) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < ports.items().size(); ++i) {
    const Json& port = ports.item(i);
    const std::string port_path = index(path, i);
    std::string_view name = port["name"].as_string();
    if (!name.empty()) {
      auto defects = check_port_name(name);
      if (!defects.empty())
        errors.invalid_each(child(port_path, "name"), name, defects);
      else if (!names.insert(name).second)
        errors.duplicate(child(port_path, "name"), name);
    }
    const std::int64_t number = port["containerPort"].as_int();
    if (number == 0) errors.required(child(port_path, "containerPort"));
    for (std::string_view field : {"containerPort", "hostPort"})
      if (port[field].as_int() != 0)
        for (const auto& message : check_port_number(port[field].as_int()))
          errors.invalid(child(port_path, field), port[field], message);
    validate_choice(port["protocol"].as_string(), child(port_path, "protocol"),
                    {"SCTP", "TCP", "UDP"}, errors);
  }
}

void validate_key_ref(const Json& reference, const std::string& path, ErrorList& errors) {
  validate_dns_subdomain(reference["name"].as_string(), child(path, "name"), errors);
  std::string_view name = reference["key"].as_string();
  if (name.empty())
    errors.required(child(path, "key"));
  else
    errors.invalid_each(child(path, "key"), name, check_config_key(name));
}

void validate_value_from(const Json& variable, const std::string& path, ErrorList& errors) {
  const Json& from = variable["valueFrom"];
  if (from.is_null()) return;
  std::size_t count = 0;
  for (std::string_view kind :
       {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"}) {
    const Json& source = from[kind];
    if (source.is_null()) continue;
    ++count;
    const std::string source_path = child(path, kind);
    if (kind == "fieldRef")
      validate_field_ref(source, source_path, kEnvFields, errors);
    else if (kind == "resourceFieldRef")
      validate_resource_field_ref(source, source_path, false, errors);
    else if (kind != "fileKeyRef")
      validate_key_ref(source, source_path, errors);
  }
  if (count == 0)
    errors.invalid(path, "",
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                   "`secretKeyRef`");
  else if (!variable["value"].as_string().empty())
    errors.invalid(path, "", "may not be specified when `value` is not empty");
  else if (count > 1)
    errors.invalid(path, "", "may not have more than one field specified at a time");
}

void validate_env(const Json& container, const std::string& path, ErrorList& errors) {
  const auto& variables = container["env"].items();
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::string variable_path = index(child(path, "env"), i);
    std::string_view name = variables[i]["name"].as_string();
    if (name.empty())
      errors.required(child(variable_path, "name"));
    else
      errors.invalid_each(child(variable_path, "name"), name, check_env_name(name));
    validate_value_from(variables[i], child(variable_path, "valueFrom"), errors);
  }
  const auto& sources = container["envFrom"].items();
  const std::string from_path = child(path, "envFrom");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string source_path = index(from_path, i);
    std::string_view prefix = sources[i]["prefix"].as_string();
    if (!prefix.empty())
      errors.invalid_each(child(source_path, "prefix"), prefix, check_env_name(prefix));
    std::size_t count = 0;
    for (std::string_view kind : {"configMapRef", "secretRef"}) {
      const Json& source = sources[i][kind];
      if (source.is_null()) continue;
      ++count;
      std::string_view name = source["name"].as_string();
      const std::string name_path = child(child(source_path, kind), "name");
      if (name.empty())
        errors.required(name_path);
      else
        validate_dns_subdomain(name, name_path, errors);
    }
    if (count == 0)
      errors.invalid(from_path, "", "must specify one of: `configMapRef` or `secretRef`");
    else if (count > 1)
      errors.invalid(from_path, "", "may not have more than one field specified at a time");
  }
}

void validate_mount(const PodContext& pod, const Json& container, const Json& mount,
                    const std::string& list_path, const std::string& path, ErrorList& errors) {
  std::string_view name = mount["name"].as_string();
  if (name.empty()) errors.required(child(path, "name"));
  auto volume = pod.volumes.find(name);
  if (volume == pod.volumes.end()) errors.not_found(child(path, "name"), name);
  if (mount["mountPath"].as_string().empty()) errors.required(child(path, "mountPath"));
  for (const auto& device : container["volumeDevices"].items()) {
    if (device["name"] == mount["name"])
      errors.invalid(child(path, "name"), name, "must not already exist in volumeDevices");
    if (device["devicePath"] == mount["mountPath"])
      errors.invalid(child(path, "mountPath"), mount["mountPath"],
                     "must not already exist as a path in volumeDevices");
  }
  std::string_view sub_path = mount["subPath"].as_string();
  std::string_view expression = mount["subPathExpr"].as_string();
  if (!sub_path.empty()) validate_local_path(sub_path, child(list_path, "subPath"), errors);
  if (!expression.empty()) {
    if (!sub_path.empty())
      errors.invalid(child(path, "subPathExpr"), expression,
                     "subPathExpr and subPath are mutually exclusive");
    validate_local_path(expression, child(list_path, "subPathExpr"), errors);
  }
  const Json& propagation = mount["mountPropagation"];
  if (propagation.is_null()) return;
  const std::string propagation_path = child(list_path, "mountPropagation");
  if (!contains({"Bidirectional", "HostToContainer", "None"}, propagation.as_string()))
    errors.not_supported(propagation_path, propagation.as_string(),
                         {"Bidirectional", "HostToContainer", "None"});
  else if (propagation.as_string() == "Bidirectional" &&
           !container["securityContext"]["privileged"].as_bool())
    errors.forbidden(propagation_path,
                     "Bidirectional mount propagation is available only to privileged containers");
}

void validate_mounts(const PodContext& pod, const Json& container, const std::string& path,
                     ErrorList& errors) {
  const auto& mounts = container["volumeMounts"].items();
  const std::string mounts_path = child(path, "volumeMounts");
  std::set<std::string_view> places;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string mount_path = index(mounts_path, i);
    std::string_view place = mounts[i]["mountPath"].as_string();
    validate_mount(pod, container, mounts[i], mounts_path, mount_path, errors);
    if (!places.insert(place).second)
      errors.invalid(child(mount_path, "mountPath"), place, "must be unique");
  }
  const auto& devices = container["volumeDevices"].items();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string device_path = index(child(path, "volumeDevices"), i);
    std::string_view name = devices[i]["name"].as_string();
    if (name.empty()) errors.required(child(device_path, "name"));
    auto volume = pod.volumes.find(name);
    if (volume == pod.volumes.end())
      errors.not_found(child(device_path, "name"), name);
    else if (!volume->second->contains("persistentVolumeClaim") &&
             !volume->second->contains("ephemeral"))
      errors.invalid(child(device_path, "name"), name,
                     "can only use volume source type of PersistentVolumeClaim or Ephemeral for "
                     "block mode");
    if (devices[i]["devicePath"].as_string().empty())
      errors.required(child(device_path, "devicePath"));
  }
}

void validate_common(const PodContext& pod, const Json& container, const std::string& path,
                     ErrorList& errors) {
  std::string_view name = container["name"].as_string();
  if (name.empty())
    errors.required(child(path, "name"));
  else
    validate_dns_label(name, child(path, "name"), errors);
  if (container["image"].as_string().empty()) errors.required(child(path, "image"));
  validate_choice(container["terminationMessagePolicy"].as_string(),
                  child(path, "terminationMessagePolicy"), {"File", "FallbackToLogsOnError"},
                  errors);
  validate_ports(container["ports"], child(path, "ports"), errors);
  validate_env(container, path, errors);
  validate_mounts(pod, container, path, errors);
  validate_choice(container["imagePullPolicy"].as_string(), child(path, "imagePullPolicy"),
                  {"Always", "IfNotPresent", "Never"}, errors);
  validate_resources(container["resources"], pod.spec["resourceClaims"], child(path, "resources"),
                     errors);
  validate_container_security(container["securityContext"], pod.spec["hostUsers"].as_bool(true),
                              child(path, "securityContext"), errors);
}

void validate_host_ports(const Json& container, const std::string& path,
                         std::set<std::string>& used, ErrorList& errors) {
  const auto& ports = container["ports"].items();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t number = ports[i]["hostPort"].as_int();
    if (number == 0) continue;
    std::string text =
        concat(ports[i]["protocol"].as_string(), "/", ports[i]["hostIP"].as_string(), "/", number);
    if (!used.insert(text).second)
      errors.duplicate(child(index(child(path, "ports"), i), "hostPort"), text);
  }
}

void validate_image_space(const PodContext& pod, const Json& containers, const std::string& path,
                          ErrorList& errors) {
  if (!pod.is_pod) return;
  for (std::size_t i = 0; i < containers.items().size(); ++i) {
    std::string_view image = containers.item(i)["image"].as_string();
    if (base::trim(image).size() != image.size())
      errors.invalid(child(index(path, i), "image"), image,
                     "must not have leading or trailing whitespace");
  }
}

}  // namespace

void validate_containers(const PodContext& pod, const std::string& path, ErrorList& errors) {
  const auto& containers = pod.spec["containers"].items();
  if (containers.empty()) return errors.required(path);
  std::set<std::string_view> names;
  std::set<std::string> host_ports;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const std::string container_path = index(path, i);
    validate_common(pod, containers[i], container_path, errors);
    std::string_view name = containers[i]["name"].as_string();
    if (!names.insert(name).second) errors.duplicate(child(container_path, "name"), name);
    validate_probes(pod, containers[i], container_path, errors);
  }
  for (std::size_t i = 0; i < containers.size(); ++i)
    validate_host_ports(containers[i], index(path, i), host_ports, errors);
  validate_image_space(pod, pod.spec["containers"], path, errors);
}

void validate_init_containers(const PodContext& pod, const std::string& path, ErrorList& errors) {
  std::set<std::string_view> names;
  for (const auto& container : pod.spec["containers"].items())
    names.insert(container["name"].as_string());
  const auto& containers = pod.spec["initContainers"].items();
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Json& container = containers[i];
    const std::string container_path = index(path, i);
    validate_common(pod, container, container_path, errors);
    const Json& policy = container["restartPolicy"];
    const bool restarts = policy.as_string() == "Always";
    if (!policy.is_null() && !contains({"Always", "Never", "OnFailure"}, policy.as_string()))
      errors.not_supported(child(container_path, "restartPolicy"), policy.as_string(), {"Always"});
    std::string_view name = container["name"].as_string();
    if (!name.empty() && !names.insert(name).second)
      errors.duplicate(child(container_path, "name"), name);
    std::set<std::string> host_ports;
    validate_host_ports(container, container_path, host_ports, errors);
    if (restarts) {
      validate_probes(pod, container, container_path, errors);
      continue;
    }
    for (std::string_view field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
      if (!container[field].is_null())
        errors.forbidden(child(container_path, field),
                         "may not be set for init containers without restartPolicy=Always");
  }
  validate_image_space(pod, pod.spec["initContainers"], path, errors);
}

void validate_ephemeral_containers(const PodContext& pod, const std::string& path,
                                   ErrorList& errors) {
  const auto& containers = pod.spec["ephemeralContainers"].items();
  std::set<std::string_view> others;
  for (std::string_view list : {"containers", "initContainers"})
    for (const auto& container : pod.spec[list].items())
      others.insert(container["name"].as_string());
  std::set<std::string_view> names = others;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Json& container = containers[i];
    const std::string container_path = index(path, i);
    validate_common(pod, container, container_path, errors);
    std::string_view name = container["name"].as_string();
    if (!names.insert(name).second) errors.duplicate(child(container_path, "name"), name);
    std::string_view target = container["targetContainerName"].as_string();
    if (!target.empty() && others.count(target) == 0)
      errors.not_found(child(container_path, "targetContainerName"), target);
    for (std::string_view field :
         {"ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"})
      if (!container[field].empty())
        errors.forbidden(child(container_path, field), "cannot be set for an Ephemeral Container");
  }
  validate_image_space(pod, pod.spec["ephemeralContainers"], path, errors);
}

}  // namespace skiff::api::rules
