// What the proxy subresource forwards and what it keeps back. Pure.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>
#include <skiff/http/message.h>

#include <string>
#include <string_view>

namespace skiff::apiserver {

// "web", "web:http", "https:web:8443", "https:web:".
struct ProxyName {
  std::string scheme;  // "http" or "https"
  std::string name, port;
};
// nullopt for what is none of these.
std::optional<ProxyName> split_proxy_name(std::string_view id);

struct ProxyPath {
  std::string base;  // up to and with "/proxy", as sent
  std::string rest;  // after it, as sent: empty, or with its slash
  std::string query;
};
// `request` is one to the proxy subresource of an object, which is namespaced or not. Errors: 400
// when its own parts hide a slash behind an escape.
api::Outcome<ProxyPath> split_proxy_path(const http::Request& request, bool is_namespaced);

// [[name, value], …]: without credentials and what concerns only this connection; with X-Forwarded.
codec::Json forwarded_headers(const http::Request& request, const ProxyPath& path);
// The answer's; a Location on the same host stays below the proxy's path.
http::Headers answered_headers(const codec::Json& fields, std::string_view host,
                               const ProxyPath& path);

// An address that a pod may have: neither loopback, link-local, multicast nor unspecified.
bool is_global_unicast(std::string_view address);

}  // namespace skiff::apiserver
