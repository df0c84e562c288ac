#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::string_view kFileModeText =
    "must be a number between 0 and 0777 (octal), both inclusive";

constexpr std::string_view kDownwardFields[] = {"metadata.annotations", "metadata.labels",
                                                "metadata.name", "metadata.namespace",
                                                "metadata.uid"};

void validate_file_mode(const Json& mode, const std::string& path, ErrorList& errors) {
  if (!mode.is_null() && (mode.as_int() < 0 || mode.as_int() > 0777))
    errors.invalid(path, mode, kFileModeText);
}

void validate_items(const Json& items, const std::string& path, ErrorList& errors) {
  for (std::size_t i = 0; i < items.items().size(); ++i) {
    const Json& item = items.item(i);
    const std::string item_path = index(path, i);
    if (item["key"].as_string().empty()) errors.required(child(item_path, "key"));
    std::string_view target = item["path"].as_string();
    if (target.empty())
      errors.required(child(item_path, "path"));
    else
      validate_local_path(target, child(item_path, "path"), errors);
    validate_file_mode(item["mode"], child(item_path, "mode"), errors);
  }
}

void validate_host_path(const Json& source, const std::string& path, ErrorList& errors) {
  std::string_view target = source["path"].as_string();
  if (target.empty()) return errors.required(child(path, "path"));
  validate_no_backsteps(target, child(path, "path"), errors);
  constexpr std::string_view kTypes[] = {
      "",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
      "File", "FileOrCreate", "Socket"};
  std::string_view type = source["type"].as_string();
  if (!contains(kTypes, type)) errors.not_supported(child(path, "type"), type, kTypes);
}

void validate_secret_source(const Json& source, const std::string& path, ErrorList& errors) {
  if (source["secretName"].as_string().empty()) errors.required(child(path, "secretName"));
  validate_file_mode(source["defaultMode"], child(path, "defaultMode"), errors);
  validate_items(source["items"], child(path, "items"), errors);
}

void validate_config_map_source(const Json& source, const std::string& path, ErrorList& errors) {
  if (source["name"].as_string().empty()) errors.required(child(path, "name"));
  validate_file_mode(source["defaultMode"], child(path, "defaultMode"), errors);
  validate_items(source["items"], child(path, "items"), errors);
}

void validate_downward_file(const Json& file, const std::string& path, ErrorList& errors) {
  std::string_view target = file["path"].as_string();
  if (target.empty()) errors.required(child(path, "path"));
  validate_local_path(target, child(path, "path"), errors);
  const Json& field = file["fieldRef"];
  const Json& resource = file["resourceFieldRef"];
  if (!field.is_null()) {
    validate_field_ref(field, child(path, "fieldRef"), kDownwardFields, errors);
    if (!resource.is_null())
      errors.invalid(path, "resource",
                     "fieldRef and resourceFieldRef can not be specified simultaneously");
  } else if (!resource.is_null()) {
    validate_resource_field_ref(resource, child(path, "resourceFieldRef"), true, errors);
  } else {
    errors.required(path, "one of fieldRef and resourceFieldRef is required");
  }
  validate_file_mode(file["mode"], child(path, "mode"), errors);
}

void validate_downward_source(const Json& source, const std::string& path, ErrorList& errors) {
  validate_file_mode(source["defaultMode"], child(path, "defaultMode"), errors);
  for (const auto& file : source["items"].items()) validate_downward_file(file, path, errors);
}

void validate_token_source(const Json& source, const std::string& path, ErrorList& errors) {
  const Json& seconds = source["expirationSeconds"];
  if (!seconds.is_null() && seconds.as_int() < 600)
    errors.invalid(child(path, "expirationSeconds"), seconds,
                   "may not specify a duration less than 10 minutes");
  if (seconds.as_int() > (std::int64_t{1} << 32))
    errors.invalid(child(path, "expirationSeconds"), seconds,
                   "may not specify a duration larger than 2^32 seconds");
  std::string_view target = source["path"].as_string();
  if (target.empty())
    errors.required(child(path, "path"));
  else
    validate_local_path(target, child(path, "path"), errors);
}

// The kinds of a projection source, in upstream's order; false when a second one is there.
void validate_projection(const Json& source, const std::string& path, ErrorList& errors) {
  struct Kind {
    std::string_view name;
    void (*validate)(const Json&, const std::string&, ErrorList&);
  };
  static constexpr Kind kKinds[] = {
      {"secret",
       [](const Json& v, const std::string& p, ErrorList& e) {
         if (v["name"].as_string().empty()) e.required(child(p, "name"));
         validate_items(v["items"], child(p, "items"), e);
       }},
      {"configMap",
       [](const Json& v, const std::string& p, ErrorList& e) {
         if (v["name"].as_string().empty()) e.required(child(p, "name"));
         validate_items(v["items"], child(p, "items"), e);
       }},
      {"downwardAPI",
       [](const Json& v, const std::string& p, ErrorList& e) {
         for (const auto& file : v["items"].items()) validate_downward_file(file, p, e);
       }},
      {"serviceAccountToken", validate_token_source},
      {"clusterTrustBundle",
       [](const Json& v, const std::string& p, ErrorList& e) {
         if (v["path"].as_string().empty()) e.required(child(p, "path"));
       }},
      {"podCertificate", [](const Json&, const std::string&, ErrorList&) {}},
  };
  std::size_t count = 0;
  for (const auto& kind : kKinds) {
    if (source[kind.name].is_null()) continue;
    if (++count > 1) {
      errors.forbidden(child(path, kind.name), "may not specify more than 1 volume type");
      continue;
    }
    kind.validate(source[kind.name], child(path, kind.name), errors);
  }
  if (count == 0) errors.required(path, "must specify a volume type");
}

void collect_paths(const Json& items, const std::string& path, std::set<std::string>& seen,
                   ErrorList& errors) {
  for (const auto& item : items.items()) {
    std::string_view target = item["path"].as_string();
    if (!target.empty() && !seen.emplace(target).second)
      errors.invalid(path, target, "conflicting duplicate paths");
  }
}

void validate_projected(const Json& source, const std::string& path, ErrorList& errors) {
  validate_file_mode(source["defaultMode"], child(path, "defaultMode"), errors);
  std::set<std::string> paths;
  const auto& sources = source["sources"].items();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string source_path = index(child(path, "sources"), i);
    validate_projection(sources[i], source_path, errors);
    for (std::string_view kind : {"secret", "configMap", "downwardAPI"})
      collect_paths(sources[i][kind]["items"], source_path, paths, errors);
  }
}

void validate_source(const Json& volume, const std::string& path, ErrorList& errors) {
  // Every member but the name is a kind of source.
  std::size_t count = 0;
  for (const auto& member : volume.members()) {
    if (member.key == "name" || member.value.is_null()) continue;
    const std::string source_path = child(path, member.key);
    if (++count > 1) {
      errors.forbidden(source_path, "may not specify more than 1 volume type");
      continue;
    }
    const Json& source = member.value;
    if (member.key == "emptyDir") {
      auto limit = quantity_of(source["sizeLimit"]);
      if (limit && *limit < Quantity())
        errors.forbidden(child(source_path, "sizeLimit"),
                         "SizeLimit field must be a valid resource quantity");
    } else if (member.key == "hostPath") {
      validate_host_path(source, source_path, errors);
    } else if (member.key == "secret") {
      validate_secret_source(source, source_path, errors);
    } else if (member.key == "configMap") {
      validate_config_map_source(source, source_path, errors);
    } else if (member.key == "downwardAPI") {
      validate_downward_source(source, source_path, errors);
    } else if (member.key == "projected") {
      validate_projected(source, source_path, errors);
    } else if (member.key == "persistentVolumeClaim") {
      if (source["claimName"].as_string().empty()) errors.required(child(source_path, "claimName"));
    } else if (member.key == "nfs") {
      for (std::string_view field : {"server", "path"})
        if (source[field].as_string().empty()) errors.required(child(source_path, field));
    } else if (member.key == "csi") {
      if (source["driver"].as_string().empty()) errors.required(child(source_path, "driver"));
    }
  }
  if (count == 0) errors.required(path, "must specify a volume type");
}

}  // namespace

Volumes validate_volumes(const Json& volumes, const std::string& path, ErrorList& errors) {
  Volumes valid;
  const auto& list = volumes.items();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string volume_path = index(path, i);
    const std::size_t before = errors.size();
    validate_source(list[i], volume_path, errors);
    std::string_view name = list[i]["name"].as_string();
    if (name.empty())
      errors.required(child(volume_path, "name"));
    else
      validate_dns_label(name, child(volume_path, "name"), errors);
    if (valid.count(name) != 0) errors.duplicate(child(volume_path, "name"), name);
    if (errors.size() == before) valid.emplace(name, &list[i]);
  }
  return valid;
}

void validate_field_ref(const Json& reference, const std::string& path,
                        std::span<const std::string_view> fields, ErrorList& errors) {
  if (reference["apiVersion"].as_string().empty())
    return errors.required(child(path, "apiVersion"));
  std::string_view field = reference["fieldPath"].as_string();
  if (field.empty()) return errors.required(child(path, "fieldPath"));
  const std::size_t bracket = field.find("['");
  if (bracket != std::string_view::npos && base::ends_with(field, "']")) {
    std::string_view base_path = field.substr(0, bracket);
    std::string_view subscript = field.substr(bracket + 2, field.size() - bracket - 4);
    if (base_path == "metadata.annotations")
      validate_label_name(base::to_lower(subscript), path, errors);
    else if (base_path == "metadata.labels")
      validate_label_name(subscript, path, errors);
    else
      errors.invalid(path, base_path, "does not support subscript");
    return;
  }
  static constexpr std::string_view kKnown[] = {
      "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
      "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
      "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
      "status.podIP",         "status.podIPs"};
  if (!contains(kKnown, field))
    errors.invalid(child(path, "fieldPath"), field,
                   concat("error converting fieldPath: field label not supported: ", field));
  else if (!contains(fields, field))
    errors.not_supported(child(path, "fieldPath"), field, fields);
}

void validate_resource_field_ref(const Json& reference, const std::string& path,
                                 bool needs_container, ErrorList& errors) {
  static constexpr std::string_view kResources[] = {
      "limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
      "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
  std::string_view resource = reference["resource"].as_string();
  if (needs_container && reference["containerName"].as_string().empty())
    errors.required(child(path, "containerName"));
  else if (resource.empty())
    errors.required(child(path, "resource"));
  else if (!contains(kResources, resource) && !base::starts_with(resource, "requests.hugepages-") &&
           !base::starts_with(resource, "limits.hugepages-"))
    errors.not_supported(child(path, "resource"), resource, kResources);
  auto divisor = quantity_of(reference["divisor"]);
  if (!divisor || *divisor == Quantity()) return;
  const std::string text = divisor->to_string();
  if (base::ends_with(resource, ".cpu")) {
    if (text != "1m" && text != "1")
      errors.invalid(child(path, "divisor"), resource,
                     "only divisor's values 1m and 1 are supported with the cpu resource");
    return;
  }
  if (contains({"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"},
               text))
    return;
  std::string_view what = base::ends_with(resource, ".memory") ? "memory"
                          : base::ends_with(resource, ".ephemeral-storage")
                              ? "local ephemeral storage"
                              : "hugepages";
  errors.invalid(child(path, "divisor"), resource,
                 concat("only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, "
                        "1Ei are supported with the ",
                        what, " resource"));
}

}  // namespace skiff::api::rules
