// What a path and a method ask for. Pure; any input gives an answer.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/base/result.h>
#include <skiff/http/message.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::apiserver {

struct RequestInfo {
  bool is_resource = false;
  std::string path;  // decoded
  std::string verb;  // resources: get, list, watch, create, …; paths: the method in lower case
  std::string group, version, resource, subresource, namespace_name, name;
  std::string rest;  // after a proxy subresource, with its slash
  // Null when the server has no such resource or subresource.
  const api::ResourceInfo* type = nullptr;
  const api::SubresourceInfo* subtype = nullptr;
};

// Errors: invalid_argument for escapes that are none.
base::Result<RequestInfo> parse_request_info(std::string_view method, std::string_view raw_path,
                                             const http::Query& query);

// The first value of a query parameter; empty without.
std::string_view query_value(const http::Query& query, std::string_view name);
bool query_has(const http::Query& query, std::string_view name);
// Go's ParseBool: 1, t, T, TRUE, true, True; an empty value counts as false.
bool query_bool(const http::Query& query, std::string_view name);

}  // namespace skiff::apiserver
