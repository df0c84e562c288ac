// Request bodies and options: JSON, YAML and protobuf to checked trees.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/api/schema.h>
#include <skiff/codec/json.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/context.h"

namespace skiff::apiserver {

enum class FieldValidation : unsigned char { ignore, warn, strict };

// Of a write: dryRun, fieldManager, fieldValidation, force. Errors: 422 for values that are none.
struct WriteParameters {
  bool dry_run = false;
  bool force = false;
  FieldValidation field_validation = FieldValidation::warn;
  std::string field_manager;
};
api::Outcome<WriteParameters> write_parameters(const RequestContext& context,
                                               std::string_view options_kind);

// The media type of the body without parameters, lower case; "application/json" when absent.
std::string content_type(const http::Request& request);

// The body as a tree of any kind. `duplicates` receives the paths of repeated members.
// Errors: 400, 413, 415.
api::Outcome<codec::Json> parse_body(const RequestContext& context, std::string_view kind,
                                     std::vector<std::string>* duplicates);

// The body as an object of `type`: kind and apiVersion checked and set, fields checked, unknown
// ones treated as the request asks.
api::Outcome<codec::Json> decode_body(RequestContext& context, const api::TypeInfo& type,
                                      FieldValidation validation);

// Checks a tree against the type after a patch; unknown fields, and `duplicates` that are known,
// are treated as the request asks; with `notes` they are named there and nothing else is done.
api::Outcome<codec::Json> check_object(RequestContext& context, const api::TypeInfo& type,
                                       codec::Json object, FieldValidation validation,
                                       const std::vector<std::string>& duplicates,
                                       std::vector<std::string>* notes = nullptr);

}  // namespace skiff::apiserver
