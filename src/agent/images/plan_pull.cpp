#include "agent/images/plan_pull.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include <algorithm>

namespace skiff::agent {

namespace {

// "https://index.docker.io/v1/" is "docker.io"; paths stay.
std::string normal_registry(std::string_view key) {
  for (std::string_view scheme : {"https://", "http://"})
    if (base::starts_with(key, scheme)) key.remove_prefix(scheme.size());
  std::string out(key);
  for (std::string_view suffix : {"/", "/v1", "/v2"})
    if (base::ends_with(out, suffix)) out.resize(out.size() - suffix.size());
  if (out == "index.docker.io" || out == "registry-1.docker.io") return "docker.io";
  return out;
}

bool host_matches(std::string_view pattern, std::string_view host) {
  auto wanted = base::split(pattern, '.'), given = base::split(host, '.');
  if (wanted.size() != given.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] != "*" && wanted[i] != given[i]) return false;
  return true;
}

// The length of the match, 0 without one.
std::size_t match(const std::string& key, const runtime::ImageReference& image) {
  auto slash = key.find('/');
  if (!host_matches(key.substr(0, slash), image.registry)) return 0;
  if (slash == std::string::npos) return 1;
  std::string path = key.substr(slash + 1);
  bool inside = image.repository == path || base::starts_with(image.repository, path + "/");
  return inside ? 1 + path.size() : 0;
}

runtime::RegistryAuth read_auth(const codec::Json& entry) {
  runtime::RegistryAuth auth;
  auth.username = entry["username"].as_string();
  auth.password = entry["password"].as_string();
  auth.identity_token = entry["identitytoken"].as_string();
  auto decoded = codec::base64_decode(entry["auth"].as_string());
  if (auth.username.empty() && decoded && !decoded->empty()) {
    auto colon = decoded->find(':');
    auth.username = decoded->substr(0, colon);
    if (colon != std::string::npos) auth.password = decoded->substr(colon + 1);
    while (!auth.password.empty() && auth.password.back() == '\0') auth.password.pop_back();
  }
  return auth;
}

}  // namespace

PullDecision plan_pull(std::string_view policy, std::string_view image, bool is_present) {
  if (policy.empty()) {
    auto parsed = runtime::parse_image_reference(image);
    bool is_latest = parsed && parsed->digest.empty() && parsed->tag == "latest";
    policy = is_latest ? "Always" : "IfNotPresent";
  }
  if (policy == "Always") return PullDecision::pull;
  if (is_present) return PullDecision::use_present;
  return policy == "Never" ? PullDecision::refuse : PullDecision::pull;
}

std::vector<std::string> plan_missing_pull_secrets(const codec::Json& pod,
                                                   const ConfigSources& sources) {
  std::vector<std::string> missing;
  for (const auto& reference : pod["spec"]["imagePullSecrets"].items())
    if (!sources.secrets.contains(reference["name"].as_string()))
      missing.emplace_back(reference["name"].as_string());
  return missing;
}

std::vector<runtime::RegistryAuth> plan_credentials(const codec::Json& pod,
                                                    const ConfigSources& sources,
                                                    const runtime::ImageReference& image) {
  std::vector<std::pair<std::size_t, runtime::RegistryAuth>> found;
  for (const auto& reference : pod["spec"]["imagePullSecrets"].items()) {
    auto it = sources.secrets.find(reference["name"].as_string());
    if (it == sources.secrets.end()) continue;
    const auto& data = it->second["data"];
    bool is_old = data.contains(".dockercfg");
    auto text = codec::base64_decode(data[is_old ? ".dockercfg" : ".dockerconfigjson"].as_string());
    if (!text) continue;
    const auto config = codec::parse_json(*text);
    if (!config) continue;
    const auto& entries = is_old ? *config : (*config)["auths"];
    for (const auto& member : entries.members())
      if (std::size_t length = match(normal_registry(member.key), image))
        found.emplace_back(length, read_auth(member.value));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<runtime::RegistryAuth> out;
  for (auto& entry : found) out.push_back(std::move(entry.second));
  return out;
}

}  // namespace skiff::agent
