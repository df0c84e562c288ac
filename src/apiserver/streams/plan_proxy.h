// What the proxy subresource forwards and what it keeps back. Pure.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>
#include <skiff/http/message.h>

#include <string>
#include <string_view>
#include <vector>

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

// Whether the client wants to speak something else than HTTP after the answer.
bool wants_upgrade(const http::Request& request);

// [[name, value], …]: without credentials and what concerns only this connection, but for an
// upgrade; with X-Forwarded.
codec::Json forwarded_headers(const http::Request& request, const ProxyPath& path);

// How links in an answer are to be read.
struct ProxyLinks {
  std::string base;                // ProxyPath::base
  std::string client_host;         // as the client names this server; may be empty
  std::vector<std::string> hosts;  // as the pod may name itself, with or without port
};
// A link to a path of the pod stays below the proxy's; others, and relative ones, are as they were.
std::string below_proxy(std::string_view link, const ProxyLinks& links);
// The answer's; with Upgrade when its status is 101.
http::Headers answered_headers(int status, const codec::Json& fields, const ProxyLinks& links);

// An address that a pod may have: neither loopback, link-local, multicast nor unspecified.
bool is_global_unicast(std::string_view address);

}  // namespace skiff::apiserver
