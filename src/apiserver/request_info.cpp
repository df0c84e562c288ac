#include "apiserver/request_info.h"

#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

namespace {

std::string verb_of(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return base::to_lower(method);
}

// metadata.name=x in a field selector names the one object of a list or watch. Read by the parser
// that selects: what is authorized is what is shown.
std::string selected_name(std::string_view selector) {
  if (selector.empty()) return {};
  auto parsed = api::FieldSelector::parse(selector);
  if (!parsed.is_ok()) return {};
  for (const auto& term : parsed->terms()) {
    const bool is_name = term.value != "." && term.value != ".." &&
                         term.value.find_first_of("/%") == term.value.npos;
    if (term.field == "metadata.name" && !term.negated) return is_name ? term.value : "";
  }
  return {};
}

void find_types(RequestInfo& info) {
  info.type = api::find_resource(info.group, info.version, info.resource);
  if (info.type != nullptr && !info.subresource.empty()) {
    info.subtype = api::find_subresource(*info.type, info.subresource);
  }
}

void refine_verb(RequestInfo& info, const http::Query& query) {
  if (!info.name.empty()) return;
  if (info.verb == "get") {
    info.verb = query_bool(query, "watch") ? "watch" : "list";
    info.name = selected_name(query_value(query, "fieldSelector"));
  } else if (info.verb == "delete") {
    info.verb = "deletecollection";
  }
}

// The parts after the group version.
void parse_resource(const std::vector<std::string>& parts, std::size_t at, RequestInfo& info) {
  std::size_t left = parts.size() - at;
  auto part = [&](std::size_t i) -> const std::string& { return parts[at + i]; };
  if (part(0) == "namespaces" && left > 1) {
    info.namespace_name = part(1);
    if (left > 2 && part(2) != "status" && part(2) != "finalize") {
      at += 2;
      left -= 2;
    }
  }
  info.resource = part(0);
  if (left > 1) info.name = part(1);
  if (left > 2) info.subresource = part(2);
  for (std::size_t i = 3; i < left; ++i) info.rest += base::concat("/", part(i));
}

}  // namespace

std::string_view query_value(const http::Query& query, std::string_view name) {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

bool query_has(const http::Query& query, std::string_view name) {
  for (const auto& entry : query) {
    if (entry.first == name) return true;
  }
  return false;
}

bool query_bool(const http::Query& query, std::string_view name) {
  auto value = query_value(query, name);
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (value == yes) return true;
  }
  return false;
}

base::Result<RequestInfo> parse_request_info(std::string_view method, std::string_view raw_path,
                                             const http::Query& query) {
  RequestInfo info;
  SKIFF_ASSIGN_OR_RETURN(info.path, http::percent_decode(raw_path));
  info.verb = base::to_lower(method);
  std::vector<std::string> parts;
  for (auto piece : base::split(info.path, '/')) {
    if (!piece.empty()) parts.emplace_back(piece);
    if (parts.size() > kPathPartsMax) return base::invalid_argument("the path is too long");
  }
  if (parts.size() < 3) return info;
  std::size_t at = 0;
  if (parts[0] == "api") {
    info.version = parts[1];
    at = 2;
  } else if (parts[0] == "apis" && parts.size() > 3) {
    info.group = parts[1];
    info.version = parts[2];
    at = 3;
  } else {
    return info;
  }
  info.is_resource = true;
  info.verb = verb_of(method);
  parse_resource(parts, at, info);
  // A trailing slash belongs to the path that a proxy forwards.
  if (!info.subresource.empty() && base::ends_with(info.path, "/")) info.rest += "/";
  refine_verb(info, query);
  find_types(info);
  return info;
}

}  // namespace skiff::apiserver
