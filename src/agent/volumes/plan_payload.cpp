#include "agent/volumes/plan_payload.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "agent/limits.h"

#include <algorithm>
#include <set>

namespace skiff::agent {

namespace {

constexpr std::size_t kPathBytesMax = 4096;

base::Status check_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || path.front() == '/')
    return base::invalid_argument(base::concat("invalid path: ", base::quote(path)));
  for (auto part : base::split(path, '/'))
    if (part == ".." || part.empty())
      return base::invalid_argument(base::concat("invalid path: ", base::quote(path)));
  if (base::starts_with(path, ".."))
    return base::invalid_argument(
        base::concat("invalid path: must not start with '..': ", base::quote(path)));
  return {};
}

class PayloadPlanner {
 public:
  explicit PayloadPlanner(const PayloadInput& input) : input_(input) {}

  base::Result<Payload> plan(const codec::Json& volume) {
    if (volume.contains("configMap")) {
      const auto& source = volume["configMap"];
      default_mode_ = mode_of(source["defaultMode"], 0644);
      SKIFF_RETURN_IF_ERROR(add_keyed(source, source["name"].as_string(), false));
    } else if (volume.contains("secret")) {
      const auto& source = volume["secret"];
      default_mode_ = mode_of(source["defaultMode"], 0644);
      SKIFF_RETURN_IF_ERROR(add_keyed(source, source["secretName"].as_string(), true));
    } else if (volume.contains("downwardAPI")) {
      default_mode_ = mode_of(volume["downwardAPI"]["defaultMode"], 0644);
      SKIFF_RETURN_IF_ERROR(add_downward(volume["downwardAPI"]));
    } else {
      default_mode_ = mode_of(volume["projected"]["defaultMode"], 0644);
      for (const auto& source : volume["projected"]["sources"].items())
        SKIFF_RETURN_IF_ERROR(add_projected(source));
    }
    if (bytes_ > kVolumePayloadBytesMax)
      return base::Status(base::Code::too_large, "the volume is larger than 4 MiB");
    return std::move(payload_);
  }

 private:
  static unsigned mode_of(const codec::Json& mode, unsigned fallback) {
    return static_cast<unsigned>(mode.as_int(fallback)) & 0777u;
  }

  base::Status add(std::string_view path, std::string bytes, const codec::Json& mode) {
    SKIFF_RETURN_IF_ERROR(check_path(path));
    bytes_ += bytes.size();
    payload_[std::string(path)] = PayloadFile{std::move(bytes), mode_of(mode, default_mode_)};
    return {};
  }

  // Whoever the pod runs as reads it, and nobody else (KEP-1205).
  base::Status add_token(std::string_view path, const std::string& token) {
    SKIFF_RETURN_IF_ERROR(add(path, token, nullptr));
    const bool has_group = !input_.pod["spec"]["securityContext"]["fsGroup"].is_null();
    auto user = plan_pod_user(input_.pod);
    if (!user && !has_group) return {};
    auto& file = payload_[std::string(path)];
    file.mode = 0600;
    file.user = user;
    return {};
  }

  base::Status add_keyed(const codec::Json& source, std::string_view name, bool is_secret) {
    const auto& objects = is_secret ? input_.sources.secrets : input_.sources.config_maps;
    bool optional = source["optional"].as_bool();
    auto it = objects.find(name);
    if (it == objects.end()) {
      if (optional) return {};
      return base::not_found(
          base::concat(is_secret ? "secret " : "configmap ", base::quote(name), " not found"));
    }
    auto value_of = [&](std::string_view key) -> base::Result<std::string> {
      if (const auto* value = it->second["data"].find(key)) {
        if (is_secret) return codec::base64_decode(value->as_string());
        return std::string(value->as_string());
      }
      if (const auto* value = it->second["binaryData"].find(key))
        return codec::base64_decode(value->as_string());
      return base::not_found(base::concat(is_secret ? "references non-existent secret key: "
                                                    : "configmap references non-existent config "
                                                      "key: ",
                                          key));
    };
    if (!source["items"].empty()) {
      for (const auto& item : source["items"].items()) {
        auto value = value_of(item["key"].as_string());
        if (!value && optional && value.code() == base::Code::not_found) continue;
        if (!value) return value.status();
        SKIFF_RETURN_IF_ERROR(add(item["path"].as_string(), std::move(*value), item["mode"]));
      }
      return {};
    }
    for (const char* list : {"data", "binaryData"}) {
      for (const auto& member : it->second[list].members()) {
        SKIFF_ASSIGN_OR_RETURN(auto value, value_of(member.key));
        SKIFF_RETURN_IF_ERROR(add(member.key, std::move(value), nullptr));
      }
    }
    return {};
  }

  base::Status add_downward(const codec::Json& source) {
    for (const auto& item : source["items"].items()) {
      std::string value;
      if (item.contains("fieldRef")) {
        SKIFF_ASSIGN_OR_RETURN(
            value, plan_field(input_.pod, item["fieldRef"]["fieldPath"].as_string(), input_.pod_ip,
                              input_.node));
      } else {
        const auto& selector = item["resourceFieldRef"];
        const codec::Json* container = nullptr;
        for (const char* list : {"containers", "initContainers"})
          for (const auto& candidate : input_.pod["spec"][list].items())
            if (candidate["name"].as_string() == selector["containerName"].as_string())
              container = &candidate;
        if (container == nullptr)
          return base::not_found(
              base::concat("container ", selector["containerName"].as_string(), " not found"));
        SKIFF_ASSIGN_OR_RETURN(value, plan_resource_field(*container, selector, input_.node));
      }
      SKIFF_RETURN_IF_ERROR(add(item["path"].as_string(), std::move(value), item["mode"]));
    }
    return {};
  }

  base::Status add_projected(const codec::Json& source) {
    if (source.contains("configMap"))
      return add_keyed(source["configMap"], source["configMap"]["name"].as_string(), false);
    if (source.contains("secret"))
      return add_keyed(source["secret"], source["secret"]["name"].as_string(), true);
    if (source.contains("downwardAPI")) return add_downward(source["downwardAPI"]);
    if (source.contains("serviceAccountToken")) {
      const auto& token = source["serviceAccountToken"];
      TokenKey key{std::string(input_.pod["spec"]["serviceAccountName"].as_string("default")),
                   std::string(token["audience"].as_string()),
                   token["expirationSeconds"].as_int(kTokenSecondsDefault)};
      auto it = input_.tokens.find(key);
      if (it == input_.tokens.end())
        return base::unavailable("the service account token was not issued");
      return add_token(token["path"].as_string(), it->second);
    }
    std::string kind = source.members().empty() ? "empty" : source.members()[0].key;
    return base::Status(base::Code::unimplemented,
                        base::concat("projected source ", kind, " is not supported"));
  }

  const PayloadInput& input_;
  Payload payload_;
  unsigned default_mode_ = 0644;
  std::size_t bytes_ = 0;
};

}  // namespace

std::vector<TokenKey> plan_token_keys(const codec::Json& pod) {
  std::set<TokenKey> keys;
  for (const auto& volume : pod["spec"]["volumes"].items())
    for (const auto& source : volume["projected"]["sources"].items()) {
      if (!source.contains("serviceAccountToken")) continue;
      const auto& token = source["serviceAccountToken"];
      keys.insert({std::string(pod["spec"]["serviceAccountName"].as_string("default")),
                   std::string(token["audience"].as_string()),
                   token["expirationSeconds"].as_int(kTokenSecondsDefault)});
    }
  return {keys.begin(), keys.end()};
}

bool is_payload_volume(const codec::Json& volume) {
  for (const char* kind : {"configMap", "secret", "downwardAPI", "projected"})
    if (volume.contains(kind)) return true;
  return false;
}

std::optional<std::int64_t> plan_pod_user(const codec::Json& pod) {
  std::optional<std::int64_t> user;
  for (const char* list : {"initContainers", "containers"})
    for (const auto& container : pod["spec"][list].items()) {
      const auto& own = container["securityContext"]["runAsUser"];
      const auto& asked = own.is_null() ? pod["spec"]["securityContext"]["runAsUser"] : own;
      if (asked.is_null() || (user && *user != asked.as_int())) return std::nullopt;
      user = asked.as_int();
    }
  return user;
}

base::Result<Payload> plan_payload(const codec::Json& volume, const PayloadInput& input) {
  return PayloadPlanner(input).plan(volume);
}

std::string unsupported_volume_kind(const codec::Json& volume) {
  if (is_payload_volume(volume) || volume.contains("emptyDir") || volume.contains("hostPath"))
    return {};
  for (const auto& member : volume.members())
    if (member.key != "name") return member.key;
  return {};  // no source at all: emptyDir
}

}  // namespace skiff::agent
