#include "apiserver/respond.h"

#include <skiff/base/strings.h>
#include <skiff/codec/yaml.h>

#include <algorithm>

namespace skiff::apiserver {

using codec::Json;

namespace {

// Upstream prints for people who use these.
bool is_interactive(std::string_view agent) {
  return base::starts_with(agent, "curl") || base::starts_with(agent, "Wget") ||
         base::starts_with(agent, "Mozilla/5.0");
}

bool wants_pretty(const RequestContext& context) {
  if (query_has(context.query, "pretty")) return query_bool(context.query, "pretty");
  return is_interactive(context.request.headers.get("User-Agent"));
}

struct Clause {
  std::string media_type;
  std::string as, group, version;
};

Clause parse_clause(std::string_view text) {
  Clause clause;
  bool first = true;
  for (auto part : base::split(text, ';')) {
    part = base::trim(part);
    if (first) {
      clause.media_type = base::to_lower(part);
      first = false;
      continue;
    }
    auto equals = part.find('=');
    if (equals == part.npos) continue;
    auto key = part.substr(0, equals);
    auto value = part.substr(equals + 1);
    if (key == "as") clause.as = value;
    if (key == "g") clause.group = value;
    if (key == "v") clause.version = value;
  }
  return clause;
}

// Whether the clause is one that we can answer; fills `form`.
bool take_clause(const Clause& clause, bool allow_tables, Form& form) {
  const auto& type = clause.media_type;
  if (type == "application/yaml") {
    form.yaml = true;
  } else if (type != "application/json" && type != "*/*" && type != "application/*") {
    return false;
  }
  if (clause.as.empty()) return true;
  if (!allow_tables || clause.group != "meta.k8s.io") return false;
  if (clause.version != "v1" && clause.version != "v1beta1") return false;
  form.meta_version = clause.version;
  if (clause.as == "Table") {
    form.shape = Form::Shape::table;
  } else if (clause.as == "PartialObjectMetadata") {
    form.shape = Form::Shape::partial_metadata;
  } else if (clause.as == "PartialObjectMetadataList") {
    form.shape = Form::Shape::partial_metadata_list;
  } else {
    return false;
  }
  return true;
}

}  // namespace

api::Outcome<Form> negotiate(const RequestContext& context, bool allow_tables) {
  const bool pretty = wants_pretty(context);
  std::string accept;
  for (auto value : context.request.headers.get_all("Accept")) {
    if (!accept.empty()) accept += ',';
    accept += value;
  }
  Form plain;
  plain.pretty = pretty;
  if (base::trim(accept).empty()) return plain;
  for (auto text : base::split(accept, ',')) {
    Form form;
    form.pretty = pretty;
    if (take_clause(parse_clause(base::trim(text)), allow_tables, form)) return form;
  }
  return api::not_acceptable_error(
      "only the following media types are accepted: application/json, application/yaml");
}

http::Response text_response(int status, const Form& form, std::string json) {
  http::Response response;
  response.status = status;
  response.headers.set("Cache-Control", "no-cache, private");
  response.headers.set("Content-Type", form.yaml ? "application/yaml" : "application/json");
  if (form.yaml || form.pretty) {
    auto tree = codec::parse_json(json, {.limits = {.bytes_max = SIZE_MAX}});
    if (tree.is_ok()) {
      json = form.yaml ? codec::write_yaml(*tree) : codec::write_json_pretty(*tree);
    }
  }
  if (!form.yaml && form.pretty && !base::ends_with(json, "\n")) json += '\n';
  response.body.emplace_back(std::string_view(json));
  return response;
}

http::Response json_response(int status, const Form& form, const Json& value) {
  return text_response(status, form, codec::write_json(value));
}

base::SharedBytes stored_text(const api::StoredObject& object) {
  std::string head(object.json_before());
  head += base::concat("\"resourceVersion\":\"", object.revision(), "\",");
  return base::SharedBytes::concat(head, object.json_after());
}

http::Response stored_response(int status, const Form& form, const api::StoredObject& object) {
  if (form.yaml || form.pretty) return text_response(status, form, object.to_json_text());
  http::Response response;
  response.status = status;
  response.headers.set("Cache-Control", "no-cache, private");
  response.headers.set("Content-Type", "application/json");
  response.body.push_back(stored_text(object));
  return response;
}

http::Response plain_response(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.headers.set("Cache-Control", "no-cache, private");
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.body.emplace_back(std::string_view(text));
  return response;
}

http::Response error_response(const api::ApiError& error, bool pretty) {
  Form form;
  form.pretty = pretty;
  auto response = json_response(error.code, form, error.to_json());
  if (error.retry_after_seconds > 0) {
    response.headers.set("Retry-After", std::to_string(error.retry_after_seconds));
  }
  if (error.code == 401) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

Json success_status(int code) {
  return Json::object({{"kind", "Status"},
                       {"apiVersion", "v1"},
                       {"metadata", Json::object()},
                       {"status", "Success"},
                       {"code", code}});
}

void add_warnings(const std::vector<std::string>& warnings, http::Response& response) {
  std::vector<std::string_view> sent;
  for (const auto& warning : warnings) {
    if (std::find(sent.begin(), sent.end(), warning) != sent.end()) continue;
    sent.push_back(warning);
    std::string text;
    for (char c : warning) {
      if (c == '"' || c == '\\') text += '\\';
      text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    response.headers.add("Warning", base::concat("299 - \"", text, "\""));
  }
}

}  // namespace skiff::apiserver
