#include "api/rules/kind_rules.h"
#include "api/rules/values.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "api/limits.h"

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

// The bytes that base64 text stands for, counted without decoding.
std::size_t decoded_size(std::string_view text) {
  std::size_t size = text.size() / 4 * 3;
  if (base::ends_with(text, "==")) return size - 2;
  return base::ends_with(text, "=") ? size - 1 : size;
}

void validate_config_keys(const Json& data, const std::string& path, ErrorList& errors) {
  for (const auto& member : data.members())
    errors.invalid_each(key(path, member.key), member.key, check_config_key(member.key));
}

void validate_frozen(const Json& object, const Json& old_object,
                     std::initializer_list<std::string_view> fields, ErrorList& errors) {
  constexpr std::string_view kText = "field is immutable when `immutable` is set";
  if (!old_object["immutable"].as_bool()) return;
  if (!object["immutable"].as_bool()) errors.forbidden("immutable", kText);
  for (std::string_view field : fields) {
    const bool both_empty = object[field].empty() && old_object[field].empty();
    if (!both_empty && object[field] != old_object[field])
      errors.forbidden(std::string(field), kText);
  }
}

void validate_json_content(const Json& secret, std::string_view name, ErrorList& errors) {
  const std::string path = key("data", name);
  if (!secret["data"].contains(name)) return errors.required(path);
  auto bytes = codec::base64_decode(secret["data"][name].as_string());
  auto content = bytes.is_ok() ? codec::parse_json(*bytes) : base::Result<Json>(bytes.status());
  if (!content.is_ok())
    errors.invalid(path, "<secret contents redacted>", content.status().message());
  else if (!content->is_object())
    errors.invalid(path, "<secret contents redacted>",
                   "json: cannot unmarshal into Go value of type map[string]interface {}");
}

}  // namespace

void validate_config_map(const Json& object, ErrorList& errors) {
  std::size_t bytes = 0;
  const Json &data = object["data"], &binary = object["binaryData"];
  for (const auto& member : data.members()) {
    const std::string path = key("data", member.key);
    errors.invalid_each(path, member.key, check_config_key(member.key));
    if (!binary.empty() && binary.contains(member.key))
      errors.invalid(path, member.key, "duplicate of key present in binaryData");
    bytes += member.value.size();
  }
  validate_config_keys(binary, "binaryData", errors);
  for (const auto& member : binary.members()) bytes += decoded_size(member.value.as_string());
  if (bytes > kSecretBytesMax) errors.too_long("[]", kSecretBytesMax);
}

void validate_config_map_update(const Json& object, const Json& old_object, std::string_view,
                                ErrorList& errors) {
  validate_frozen(object, old_object, {"data", "binaryData"}, errors);
  validate_config_map(object, errors);
}

void validate_secret(const Json& object, ErrorList& errors) {
  const Json& data = object["data"];
  std::size_t bytes = 0;
  validate_config_keys(data, "data", errors);
  for (const auto& member : data.members()) bytes += decoded_size(member.value.as_string());
  if (bytes > kSecretBytesMax) errors.too_long("data", kSecretBytesMax);
  std::string_view type = object["type"].as_string();
  auto require = [&](std::string_view name) {
    if (!data.contains(name)) errors.required(key("data", name));
  };
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view kName = "kubernetes.io/service-account.name";
    if (object["metadata"]["annotations"][kName].as_string().empty())
      errors.required(key("metadata.annotations", kName));
  } else if (type == "kubernetes.io/dockercfg") {
    validate_json_content(object, ".dockercfg", errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    validate_json_content(object, ".dockerconfigjson", errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (!data.contains("username") && !data.contains("password")) {
      require("username");
      require("password");
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    if (data["ssh-privatekey"].empty()) errors.required(key("data", "ssh-privatekey"));
  } else if (type == "kubernetes.io/tls") {
    require("tls.crt");
    require("tls.key");
  }
}

void validate_secret_update(const Json& object, const Json& old_object, std::string_view,
                            ErrorList& errors) {
  validate_immutable(object["type"], old_object["type"], "type", errors);
  validate_frozen(object, old_object, {"data"}, errors);
  validate_secret(object, errors);
}

}  // namespace skiff::api::rules
