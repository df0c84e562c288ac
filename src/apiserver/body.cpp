#include "apiserver/body.h"

#include <skiff/api/defaults.h>
#include <skiff/base/strings.h>
#include <skiff/codec/yaml.h>

#include <algorithm>

#include "apiserver/limits.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
constexpr std::size_t kSummaryBytes = 30;

// What upstream shows of a body that it cannot read.
std::string summarize(std::string_view body) {
  if (body.empty()) return "<empty>";
  auto head = body.substr(0, kSummaryBytes);
  std::string text = body[0] == '{' ? std::string(head) : base::to_hex(head);
  if (body.size() > kSummaryBytes) text += " ...";
  return text;
}

api::ApiError unreadable(std::string_view kind, std::string_view why, std::string_view body) {
  return api::bad_request_error(
      base::concat("the object provided is unrecognized (must be of type ", kind, "): ", why, " (",
                   summarize(body), ")"));
}

api::ApiError parse_error(std::string_view kind, const base::Status& status,
                          std::string_view body) {
  if (status.code() == base::Code::too_large) {
    return api::too_large_error(base::concat("Request entity too large: ", status.message()));
  }
  return unreadable(kind, status.message(), body);
}

api::ApiError invalid_option(std::string_view kind, std::string_view field, std::string_view reason,
                             std::string detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.group = "meta.k8s.io";
  error.kind = kind;
  error.message = base::concat(kind, ".meta.k8s.io \"\" is invalid: ", field, ": ", detail);
  error.causes.push_back({std::string(reason), std::move(detail), std::string(field)});
  return error;
}

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : base::concat(group, "/", version);
}

// kind and apiVersion of the body are those of the URL, or absent.
api::Outcome<> check_kind(const api::TypeInfo& type, Json& object) {
  const std::string expected = group_version(type.group, type.version);
  std::string version(std::as_const(object)["apiVersion"].as_string());
  std::string kind(std::as_const(object)["kind"].as_string());
  if (!kind.empty() && kind != type.kind) {
    return api::bad_request_error(
        base::concat(kind, " in version ", base::quote(api::split_api_version(version).version),
                     " cannot be handled as a ", type.kind, ": no conversion between these kinds"));
  }
  if (!version.empty() && version != expected) {
    return api::bad_request_error(base::concat("the API version in the data (", version,
                                               ") does not match the expected API version (",
                                               expected, ")"));
  }
  object.set("kind", type.kind);
  object.set("apiVersion", expected);
  return api::Done{};
}

}  // namespace

std::string content_type(const http::Request& request) {
  auto header = request.headers.get("Content-Type");
  auto type = base::to_lower(base::trim(header.substr(0, header.find(';'))));
  return type.empty() ? "application/json" : type;
}

api::Outcome<WriteParameters> write_parameters(const RequestContext& context,
                                               std::string_view options_kind) {
  WriteParameters parameters;
  for (const auto& [key, value] : context.query) {
    if (key != "dryRun") continue;
    if (value != "All") {
      return invalid_option(
          options_kind, "dryRun", "FieldValueNotSupported",
          base::concat("Unsupported value: ", base::quote(value), ": supported values: \"All\""));
    }
    parameters.dry_run = true;
  }
  auto validation = context.parameter("fieldValidation");
  if (validation == "Strict") {
    parameters.field_validation = FieldValidation::strict;
  } else if (validation == "Ignore") {
    parameters.field_validation = FieldValidation::ignore;
  } else if (!validation.empty() && validation != "Warn") {
    return invalid_option(options_kind, "fieldValidation", "FieldValueNotSupported",
                          base::concat("Unsupported value: ", base::quote(validation),
                                       ": supported values: \"\", \"Ignore\", \"Strict\", "
                                       "\"Warn\""));
  }
  parameters.force = query_bool(context.query, "force");
  parameters.field_manager = context.parameter("fieldManager");
  if (parameters.field_manager.size() > kFieldManagerLengthMax) {
    return invalid_option(
        options_kind, "fieldManager", "FieldValueTooLong",
        base::concat("Too long: may not be more than ", kFieldManagerLengthMax, " bytes"));
  }
  const bool is_apply = content_type(context.request) == "application/apply-patch+yaml";
  if (options_kind == "PatchOptions" && is_apply && parameters.field_manager.empty()) {
    return invalid_option(options_kind, "fieldManager", "FieldValueRequired",
                          "Required value: is required for apply patch");
  }
  if (options_kind == "PatchOptions" && !is_apply && query_has(context.query, "force")) {
    return invalid_option(options_kind, "force", "FieldValueForbidden",
                          "Forbidden: may not be specified for non-apply patch");
  }
  if (parameters.field_manager.empty()) {
    auto agent = context.request.headers.get("User-Agent");
    parameters.field_manager =
        std::string(agent.substr(0, std::min(agent.find('/'), kFieldManagerLengthMax)));
    if (parameters.field_manager.empty()) parameters.field_manager = "unknown";
  }
  return parameters;
}

api::Outcome<Json> parse_body(const RequestContext& context, std::string_view kind,
                              std::vector<std::string>* duplicates) {
  const auto& request = context.request;
  const auto type = content_type(request);
  if (request.body.size() > kBodyBytesMax) {
    return api::too_large_error(base::concat("Request entity too large: limit is ", kBodyBytesMax));
  }
  codec::JsonParseOptions options;
  options.duplicates = duplicates;
  base::Result<Json> tree = base::invalid_argument("");
  if (type == kProtobuf) {
    tree = api::decode_protobuf(request.body);
  } else if (type == "application/json" || type == "application/yaml" ||
             type == "application/apply-patch+yaml" || base::ends_with(type, "+json")) {
    // JSON under the name of YAML is read as what it is; YAML under the name of JSON is refused.
    const bool yaml = base::ends_with(type, "yaml") && !base::trim(request.body).starts_with('{');
    tree =
        yaml ? codec::parse_yaml(request.body, options) : codec::parse_json(request.body, options);
  } else {
    return api::unsupported_media_type_error(
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  if (!tree.is_ok()) return parse_error(kind, tree.status(), request.body);
  return std::move(tree).value();
}

api::Outcome<Json> check_object(RequestContext& context, const api::TypeInfo& type, Json object,
                                FieldValidation validation,
                                const std::vector<std::string>& duplicates,
                                std::vector<std::string>* notes) {
  if (!object.is_object()) {
    return unreadable(type.kind, "the body must be an object", context.request.body);
  }
  SKIFF_CHECK(check_kind(type, object));
  std::vector<std::string> unknown;
  auto status = api::decode_object(type, object, &unknown, duplicates);
  std::string detail(status.message());
  if (notes != nullptr) notes->swap(unknown);
  if (status.is_ok() && !unknown.empty()) {
    if (validation == FieldValidation::warn) {
      context.warnings.insert(context.warnings.end(), unknown.begin(), unknown.end());
    } else if (validation == FieldValidation::strict) {
      detail = base::concat("strict decoding error: ", base::join(unknown, ", "));
    }
  }
  if (!detail.empty()) {
    return api::bad_request_error(base::concat(type.kind, " in version ", base::quote(type.version),
                                               " cannot be handled as a ", type.kind, ": ",
                                               detail));
  }
  return object;
}

api::Outcome<Json> decode_body(RequestContext& context, const api::TypeInfo& type,
                               FieldValidation validation) {
  std::vector<std::string> duplicates;
  SKIFF_TRY(auto tree, parse_body(context, type.kind, &duplicates));
  return check_object(context, type, std::move(tree), validation, duplicates);
}

}  // namespace skiff::apiserver
