#include "runtime/image/registries.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/yaml.h>
#include <skiff/sys/files.h>

#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::invalid_argument;
using codec::Json;

base::Status check_keys(const Json& object, std::string_view where,
                        std::initializer_list<std::string_view> known) {
  if (!object.is_object() && !object.is_null())
    return invalid_argument(concat(where, ": must be a mapping"));
  for (const auto& member : object.members()) {
    bool found = false;
    for (auto key : known) found = found || member.key == key;
    if (!found) return invalid_argument(concat(where, ": unknown key ", base::quote(member.key)));
  }
  return {};
}

base::Status read_auth(const Json& json, const std::string& where, RegistryAuth& auth) {
  SKIFF_RETURN_IF_ERROR(
      check_keys(json, where, {"username", "password", "auth", "identity_token"}));
  auth.username = json["username"].as_string();
  auth.password = json["password"].as_string();
  auth.identity_token = json["identity_token"].as_string();
  if (!json["auth"].is_string()) return {};
  auto text = codec::base64_decode(json["auth"].as_string());
  std::size_t colon = text.is_ok() ? text->find(':') : std::string::npos;
  if (colon == std::string::npos)
    return invalid_argument(concat(where, ".auth: not base64 of \"user:password\""));
  auth.username = text->substr(0, colon);
  auth.password = text->substr(colon + 1);
  return {};
}

base::Status read_tls(const Json& json, const std::string& where, RegistryHost& host) {
  SKIFF_RETURN_IF_ERROR(
      check_keys(json, where, {"ca_file", "cert_file", "key_file", "insecure_skip_verify"}));
  host.insecure = json["insecure_skip_verify"].as_bool();
  for (auto [key, to] : {std::pair("ca_file", &host.ca_pem),
                         {"cert_file", &host.certificate_pem},
                         {"key_file", &host.key_pem}}) {
    if (!json[key].is_string()) continue;
    auto text = sys::read_file(std::string(json[key].as_string()), kPemBytesMax);
    if (!text.is_ok()) return text.status().with_context(concat(where, ".", key));
    *to = std::move(*text);
  }
  return {};
}

bool is_url(std::string_view url) {
  return base::starts_with(url, "http://") || base::starts_with(url, "https://");
}

base::Status read_mirrors(const Json& json, Registries& out) {
  for (const auto& [name, mirror] : json.members()) {
    std::string where = concat("mirrors.", name);
    SKIFF_RETURN_IF_ERROR(check_keys(mirror, where, {"endpoint"}));
    for (const Json& item : mirror["endpoint"].items()) {
      std::string url(item.as_string());
      if (!is_url(url))
        return invalid_argument(
            concat(where, ".endpoint: ", base::quote(url), " is no http:// or https:// URL"));
      out.mirrors[name].push_back(std::move(url));
    }
  }
  return {};
}

// Scheme, host and path of an endpoint; the API's prefix is added where it is missing.
RegistryEndpoint endpoint_of(std::string url, const std::string& registry) {
  RegistryEndpoint out;
  while (!url.empty() && url.back() == '/') url.pop_back();
  std::size_t start = url.find("://") + 3;
  std::size_t slash = url.find('/', start);
  out.host = url.substr(start, slash == std::string::npos ? std::string::npos : slash - start);
  if (!base::ends_with(url, "/v2")) url += "/v2";
  out.url = std::move(url);
  out.is_mirror = out.host != registry;
  return out;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (!host.empty() && host[0] == '[') return base::starts_with(host, "[::1]");
  host = host.substr(0, host.find(':'));
  return host == "localhost" || base::starts_with(host, "127.");
}

const RegistryHost& Registries::host(const std::string& name) const {
  static const RegistryHost kNone;
  auto found = hosts.find(name);
  return found == hosts.end() ? kNone : found->second;
}

std::vector<RegistryEndpoint> Registries::endpoints(const std::string& registry) const {
  std::vector<RegistryEndpoint> out;
  auto found = mirrors.find(registry);
  if (found == mirrors.end()) found = mirrors.find("*");
  if (found != mirrors.end())
    for (const auto& url : found->second) out.push_back(endpoint_of(url, registry));
  // Docker's images are served by another host than the one in their names.
  std::string host = registry == "docker.io" ? "registry-1." + registry : registry;
  bool is_plain = is_loopback_host(host) && hosts.count(host) == 0;
  auto own = endpoint_of(concat(is_plain ? "http://" : "https://", host), host);
  for (const auto& endpoint : out)
    if (endpoint.host == own.host) return out;
  out.push_back(std::move(own));
  return out;
}

base::Result<Registries> parse_registries(std::string_view text) {
  Registries out;
  if (base::trim(text).empty()) return out;
  SKIFF_ASSIGN_OR_RETURN(const auto json, codec::parse_yaml(text));
  SKIFF_RETURN_IF_ERROR(check_keys(json, "registries", {"mirrors", "configs"}));
  SKIFF_RETURN_IF_ERROR(read_mirrors(json["mirrors"], out));
  for (const auto& [name, config] : json["configs"].members()) {
    std::string where = concat("configs.", name);
    SKIFF_RETURN_IF_ERROR(check_keys(config, where, {"auth", "tls"}));
    RegistryHost host;
    SKIFF_RETURN_IF_ERROR(read_auth(config["auth"], where + ".auth", host.auth));
    SKIFF_RETURN_IF_ERROR(read_tls(config["tls"], where + ".tls", host));
    // An "auth" without "tls" does not ask a loopback registry to speak TLS.
    if (config["tls"].is_null() && is_loopback_host(name))
      out.mirrors[name].push_back(concat("http://", name));
    out.hosts[name] = std::move(host);
  }
  return out;
}

base::Result<Registries> load_registries(const std::string& path) {
  if (path.empty()) return Registries{};
  auto text = sys::read_file(path, kRegistriesFileBytesMax);
  if (text.code() == base::Code::not_found) return Registries{};
  if (!text.is_ok()) return text.status();
  return parse_registries(*text).with_context(path);
}

}  // namespace skiff::runtime
