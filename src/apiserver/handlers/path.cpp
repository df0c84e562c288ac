#include <skiff/api/openapi.h>
#include <skiff/base/strings.h>
#include <skiff/base/version.h>

#include <algorithm>

#include "apiserver/discovery/documents.h"
#include "apiserver/discovery/health.h"
#include "apiserver/discovery/openid.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/metrics.h"
#include "apiserver/routes.h"
#include "apiserver/tunnel/tunnels.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

constexpr std::string_view kOpenApiV2Protobuf =
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
constexpr std::size_t kDocumentPieceBytes = 64u << 10;

std::string accept_of(const RequestContext& context) {
  std::string accept;
  for (auto value : context.request.headers.get_all("Accept")) {
    if (!accept.empty()) accept += ',';
    accept += value;
  }
  return accept;
}

http::Response tagged(const RequestContext& context, http::Response response,
                      std::string_view tag) {
  const std::string quoted = base::concat("\"", tag, "\"");
  response.headers.set("ETag", quoted);
  response.headers.set("Vary", "Accept");
  if (context.request.headers.get("If-None-Match") == quoted) {
    response.status = 304;
    response.body.clear();
    response.headers.remove("Content-Type");
  }
  return response;
}

// "v2" or "v2beta1" when the client asks for aggregated discovery in a version of ours; empty for
// the plain documents.
std::string_view aggregated_version(std::string_view accept) {
  for (auto clause : base::split(accept, ',')) {
    bool list = false;
    bool group = false;
    std::string_view version;
    bool json = false;
    for (auto part : base::split(clause, ';')) {
      part = base::trim(part);
      if (part == "application/json") json = true;
      if (part == "as=APIGroupDiscoveryList") list = true;
      if (part == "g=apidiscovery.k8s.io") group = true;
      if (part == "v=v2") version = "v2";
      if (part == "v=v2beta1") version = "v2beta1";
    }
    if (json && list && group && !version.empty()) return version;
    // Clients list what they like best first.
    if (json && !list) return {};
  }
  return {};
}

ResponseOutcome discovery_root(const RequestContext& context, bool core) {
  auto version = aggregated_version(accept_of(context));
  if (!version.empty()) {
    auto text = codec::write_json(aggregated_discovery(core, version));
    auto tag = entity_tag(text);
    auto response = text_response(200, Form{}, std::move(text));
    response.headers.set("Content-Type", base::concat("application/json;g=apidiscovery.k8s.io;v=",
                                                      version, ";as=APIGroupDiscoveryList"));
    return tagged(context, std::move(response), tag);
  }
  SKIFF_TRY(auto form, negotiate(context, false));
  auto address = advertised_authority(context.services);
  return json_response(200, form, core ? api_versions(address) : api_group_list());
}

// A document in pieces that are dropped as soon as they are sent.
template <class Write>
http::Response pieces_response(std::string_view content_type, Write write) {
  http::Response response;
  response.headers.set("Content-Type", std::string(content_type));
  std::string piece;
  api::TextSink sink = [&](std::string_view text) {
    piece += text;
    if (piece.size() < kDocumentPieceBytes) return;
    response.body.emplace_back(std::string_view(piece));
    piece.clear();
  };
  write(sink);
  if (!piece.empty()) response.body.emplace_back(std::string_view(piece));
  return response;
}

ResponseOutcome openapi_v2(const RequestContext& context) {
  const bool protobuf = accept_of(context).find(kOpenApiV2Protobuf) != std::string::npos;
  auto response =
      protobuf ? pieces_response(api::kOpenApiV2ProtobufType,
                                 [](api::TextSink& sink) { api::write_openapi_v2_protobuf(sink); })
               : pieces_response("application/json",
                                 [](api::TextSink& sink) { api::write_openapi_v2_json(sink); });
  return tagged(context, std::move(response),
                base::concat(api::openapi_hash("v2"), protobuf ? "-p" : "-j"));
}

ResponseOutcome openapi_v3_index(const RequestContext& context) {
  Json paths = Json::object();
  for (const auto& path : api::openapi_v3_paths()) {
    paths.set(path, Json::object({{"serverRelativeURL", base::concat("/openapi/v3/", path, "?hash=",
                                                                     api::openapi_hash(path))}}));
  }
  auto text = codec::write_json(Json::object({{"paths", std::move(paths)}}));
  auto tag = entity_tag(text);
  return tagged(context, text_response(200, Form{}, std::move(text)), tag);
}

ResponseOutcome openapi_v3(const RequestContext& context, std::string_view path) {
  bool found = false;
  auto response = pieces_response(
      "application/json", [&](api::TextSink& sink) { found = api::write_openapi_v3(path, sink); });
  if (!found) return no_such_path();
  // A hashed URL names one content for ever.
  if (!context.parameter("hash").empty()) {
    response.headers.set("Cache-Control", "public, max-age=31536000, immutable");
  }
  return tagged(context, std::move(response), api::openapi_hash(path));
}

ResponseOutcome version_document(const RequestContext& context) {
  SKIFF_TRY(auto form, negotiate(context, false));
  form.pretty = true;  // as upstream
  auto build = base::kGitVersion.substr(1);
  auto parts = base::split(build, '.');
  return json_response(200, form,
                       Json::object({{"major", parts[0]},
                                     {"minor", parts[1]},
                                     {"gitVersion", base::kGitVersion},
                                     {"gitCommit", ""},
                                     {"gitTreeState", "clean"},
                                     {"buildDate", "1970-01-01T00:00:00Z"},
                                     {"goVersion", ""},
                                     {"compiler", "gcc"},
                                     {"platform", kPlatform}}));
}

ResponseOutcome discovery_document(const RequestContext& context) {
  std::vector<std::string_view> parts;
  for (auto part : base::split(context.info.path, '/')) {
    if (!part.empty()) parts.push_back(part);
  }
  Json document;
  const bool core = parts[0] == "api";
  if (core && parts.size() == 2) document = api_resource_list("", parts[1]);
  if (!core && parts.size() == 2) document = api_group(parts[1]);
  if (!core && parts.size() == 3) document = api_resource_list(parts[1], parts[2]);
  if (document.is_null()) return no_such_path();
  SKIFF_TRY(auto form, negotiate(context, false));
  return json_response(200, form, document);
}

http::Response metrics_response(const RequestContext& context) {
  std::string text;
  context.services.metrics->append_text(text);
  context.services.tunnels->append_metrics(text);
  append_store_metrics(context.services, text);
  if (context.services.options.extra_metrics) context.services.options.extra_metrics(text);
  auto response = plain_response(200, std::move(text));
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  return response;
}

ResponseOutcome root_document() {
  Json paths = Json::array();
  constexpr std::string_view kPaths[] = {kOpenIdConfigurationPath,
                                         "/api",
                                         "/api/v1",
                                         "/apis",
                                         "/healthz",
                                         "/livez",
                                         "/metrics",
                                         "/openapi/v2",
                                         "/openapi/v3",
                                         kKeySetPath,
                                         "/readyz",
                                         "/version"};
  for (auto path : kPaths) {
    paths.push_back(path);
  }
  return json_response(200, Form{}, Json::object({{"paths", std::move(paths)}}));
}

ResponseOutcome answer_path(const RequestContext& context) {
  std::string path = context.info.path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path == "/") return root_document();
  if (path == "/api" || path == "/apis") return discovery_root(context, path == "/api");
  if (path.starts_with("/api/") || path.starts_with("/apis/")) return discovery_document(context);
  if (path == "/openapi/v2") return openapi_v2(context);
  if (path == "/openapi/v3") return openapi_v3_index(context);
  if (path.starts_with("/openapi/v3/")) return openapi_v3(context, path.substr(12));
  if (path == "/version") return version_document(context);
  if (path == kOpenIdConfigurationPath) return openid_configuration(context);
  if (path == kKeySetPath) return key_set(context);
  if (path == "/metrics") return metrics_response(context);
  for (std::string_view endpoint : {"/livez", "/readyz", "/healthz"}) {
    if (path == endpoint || path.starts_with(base::concat(endpoint, "/"))) {
      return health_response(context, endpoint.substr(1),
                             std::string_view(path).substr(endpoint.size()));
    }
  }
  return no_such_path();
}

}  // namespace

base::Task<ResponseOutcome> handle_path(RequestContext& context) {
  const auto& method = context.request.method;
  if (method != "GET" && method != "HEAD") co_return no_such_path();
  co_return answer_path(context);
}

}  // namespace skiff::apiserver
