#include "apiserver/streams/plan_proxy.h"

#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <vector>

namespace skiff::apiserver {

using codec::Json;

namespace {

// RFC 9110 section 7.6.1, and what frames the message.
constexpr std::string_view kConnectionFields[] = {
    "connection",       "content-length",      "expect", "keep-alive", "proxy-authenticate",
    "proxy-connection", "proxy-authorization", "te",     "trailer",    "transfer-encoding",
    "upgrade",
};

bool is_listed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Lower-case names that the message itself declares to be of this connection.
std::vector<std::string> declared_fields(const std::vector<std::string_view>& connection) {
  std::vector<std::string> names;
  for (auto value : connection) {
    for (auto name : base::split(value, ',')) names.push_back(base::to_lower(base::trim(name)));
  }
  return names;
}

bool is_connection_field(std::string_view lower, const std::vector<std::string>& declared) {
  return std::find(std::begin(kConnectionFields), std::end(kConnectionFields), lower) !=
             std::end(kConnectionFields) ||
         is_listed(declared, lower);
}

// Who the client is to this server is no business of the pod's.
bool is_credential(std::string_view lower) {
  return lower == "authorization" || base::starts_with(lower, "impersonate-") ||
         base::starts_with(lower, "x-remote-");
}

// A browser's token is among the subprotocols that it offers.
std::string without_token(std::string_view protocols) {
  std::vector<std::string> kept;
  for (auto protocol : base::split(protocols, ',')) {
    protocol = base::trim(protocol);
    if (!base::starts_with(protocol, auth::kWebSocketBearer)) kept.emplace_back(protocol);
  }
  return base::join(kept, ", ");
}

Json field(std::string_view name, std::string_view value) {
  return Json::array({Json(name), Json(value)});
}

std::string peer_ip(std::string_view address) {
  auto colon = address.rfind(':');
  if (colon == address.npos) return {};
  auto ip = address.substr(0, colon);
  if (base::starts_with(ip, "[") && base::ends_with(ip, "]")) ip = ip.substr(1, ip.size() - 2);
  return std::string(ip);
}

struct Link {
  std::string_view scheme_and_slashes;  // "http://", "//", or empty
  std::string_view host, path;
};

Link split_link(std::string_view text) {
  Link link;
  auto slashes = text.find("//");
  const bool has_host =
      slashes == 0 || (slashes != text.npos && slashes > 1 && text[slashes - 1] == ':' &&
                       text.find_first_of("/?#") == slashes);
  if (!has_host) {
    link.path = text;
    return link;
  }
  link.scheme_and_slashes = text.substr(0, slashes + 2);
  auto rest = text.substr(slashes + 2);
  link.host = rest.substr(0, rest.find_first_of("/?#"));
  link.path = rest.substr(link.host.size());
  return link;
}

}  // namespace

std::string below_proxy(std::string_view text, const ProxyLinks& links) {
  auto link = split_link(text);
  const bool is_client_host = !link.host.empty() && link.host == links.client_host;
  const bool is_own =
      link.host.empty() || is_client_host ||
      std::find(links.hosts.begin(), links.hosts.end(), link.host) != links.hosts.end();
  if (!is_own || !base::starts_with(link.path, "/")) return std::string(text);
  std::string_view base = links.base;
  if (link.path == base || base::starts_with(link.path, base::concat(base, "/"))) base = {};
  if (is_client_host) return base::concat(link.scheme_and_slashes, link.host, base, link.path);
  return base::concat(base, link.path);
}

bool wants_upgrade(const http::Request& request) {
  const auto declared = declared_fields(request.headers.get_all("Connection"));
  return is_listed(declared, "upgrade") && !request.headers.get("Upgrade").empty();
}

std::optional<ProxyName> split_proxy_name(std::string_view id) {
  auto parts = base::split(id, ':');
  if (parts.empty() || parts.size() > 3) return std::nullopt;
  ProxyName result;
  result.scheme = "http";
  std::size_t at = 0;
  if (parts.size() == 3) {
    if (parts[0] != "http" && parts[0] != "https" && !parts[0].empty()) return std::nullopt;
    if (parts[0] == "https") result.scheme = "https";
    at = 1;
  }
  result.name = parts[at];
  if (parts.size() > at + 1) result.port = parts[at + 1];
  if (result.name.empty()) return std::nullopt;
  return result;
}

api::Outcome<ProxyPath> split_proxy_path(const http::Request& request, bool is_namespaced) {
  // api, v1, [namespaces, <namespace>,] <resource>, <name>, proxy
  const int own_parts = is_namespaced ? 7 : 5;
  const auto path = request.path();
  std::size_t at = 0;
  std::string_view part;
  for (int i = 0; i < own_parts; ++i) {
    while (at < path.size() && path[at] == '/') ++at;
    auto end = std::min(path.find('/', at), path.size());
    part = path.substr(at, end - at);
    if (base::to_lower(part).find("%2f") != std::string::npos) part = {};
    if (part.empty()) return api::bad_request_error("the path of a proxy request is malformed");
    at = end;
  }
  if (part != "proxy") return api::bad_request_error("the path of a proxy request is malformed");
  ProxyPath result;
  result.base = path.substr(0, at);
  result.rest = path.substr(at);
  result.query = request.raw_query();
  return result;
}

Json forwarded_headers(const http::Request& request, const ProxyPath& path) {
  Json fields = Json::array();
  const auto declared = declared_fields(request.headers.get_all("Connection"));
  const bool upgrades = wants_upgrade(request);
  std::string forwarded_for;
  for (const auto& [name, value] : request.headers.fields()) {
    const auto lower = base::to_lower(name);
    const bool is_wanted = upgrades && lower == "upgrade";
    if ((is_connection_field(lower, declared) && !is_wanted) || is_credential(lower)) continue;
    if (lower == "sec-websocket-protocol") {
      if (auto kept = without_token(value); !kept.empty()) fields.push_back(field(name, kept));
      continue;
    }
    if (lower == "x-forwarded-for") {
      forwarded_for += base::concat(value, ", ");
      continue;
    }
    const bool is_ours =
        lower == "x-forwarded-uri" || lower == "x-forwarded-host" || lower == "x-forwarded-proto";
    if (!is_ours) fields.push_back(field(name, value));
  }
  if (auto ip = peer_ip(request.peer.address); !ip.empty()) {
    fields.push_back(field("X-Forwarded-For", forwarded_for + ip));
  }
  fields.push_back(field("X-Forwarded-Uri", path.base + path.rest));
  fields.push_back(field("X-Forwarded-Proto", "https"));
  if (auto host = request.headers.get("Host"); !host.empty()) {
    fields.push_back(field("X-Forwarded-Host", host));
  }
  return fields;
}

http::Headers answered_headers(int status, const Json& fields, const ProxyLinks& links) {
  http::Headers headers;
  const bool is_upgraded = status == 101;
  if (is_upgraded) headers.add("Connection", "Upgrade");
  std::vector<std::string_view> connection;
  for (const auto& entry : fields.items()) {
    if (entry.size() != 2) continue;
    if (base::equals_ignore_case(entry.item(0).as_string(), "Connection")) {
      connection.push_back(entry.item(1).as_string());
    }
  }
  const auto declared = declared_fields(connection);
  for (const auto& entry : fields.items()) {
    if (entry.size() != 2) continue;
    const auto name = entry.item(0).as_string();
    const auto value = entry.item(1).as_string();
    const auto lower = base::to_lower(name);
    // What the API server lets other origins do is not for a pod to say.
    const bool is_cors = base::starts_with(lower, "access-control-");
    const bool is_wanted = is_upgraded && lower == "upgrade";
    if ((is_connection_field(lower, declared) && !is_wanted) || is_cors) continue;
    headers.add(std::string(name),
                lower == "location" ? below_proxy(value, links) : std::string(value));
  }
  return headers;
}

bool is_global_unicast(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const std::uint32_t host = ntohl(v4.s_addr);
    const bool is_link_local = (host >> 16) == 0xa9fe;
    return host != 0 && host != 0xffffffff && (host >> 24) != 127 && (host >> 28) != 0xe &&
           !is_link_local;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) &&
         !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_V4MAPPED(&v6);
}

}  // namespace skiff::apiserver
