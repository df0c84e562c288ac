// OpenAPI documents, made from the schema on demand in pieces so that none is kept in memory.
#pragma once

#include <skiff/base/function.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

using TextSink = base::UniqueFunction<void(std::string_view piece)>;

// What an answer with the protobuf form says. Clients ask for "…v2@v1.0+protobuf", which they
// refuse as a Content-Type.
inline constexpr std::string_view kOpenApiV2ProtobufType =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

// /openapi/v2 as JSON, and as application/com.github.proto-openapi.spec.v2@v1.0+protobuf.
void write_openapi_v2_json(TextSink& sink);
void write_openapi_v2_protobuf(TextSink& sink);
// /openapi/v3/<path>: `path` is "api/v1" or "apis/apps/v1". False when there is no such path.
bool write_openapi_v3(std::string_view path, TextSink& sink);
std::vector<std::string> openapi_v3_paths();
// A hash of a document's content, for ETags and hashed URLs; constant for a build. `path` is one of
// openapi_v3_paths() or "v2"; empty for others.
std::string openapi_hash(std::string_view path);

}  // namespace skiff::api
