// Answers: which form the client accepts, and objects, errors and text in it.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>
#include <skiff/http/message.h>

#include <string>
#include <string_view>

#include "apiserver/context.h"

namespace skiff::apiserver {

// What the Accept header chose.
struct Form {
  enum class Shape : unsigned char { object, table, partial_metadata, partial_metadata_list };
  Shape shape = Shape::object;
  bool yaml = false;
  bool pretty = false;
  std::string meta_version = "v1";  // of meta.k8s.io for tables
};

// Errors: 406.
api::Outcome<Form> negotiate(const RequestContext& context, bool allow_tables);

// JSON text in the form's serialisation.
http::Response text_response(int status, const Form& form, std::string json);
http::Response json_response(int status, const Form& form, const codec::Json& value);
// The stored bytes with the revision spliced in.
http::Response stored_response(int status, const Form& form, const api::StoredObject& object);
base::SharedBytes stored_text(const api::StoredObject& object);
http::Response plain_response(int status, std::string text);

// The one place where errors become answers.
http::Response error_response(const api::ApiError& error, bool pretty = false);

// Status of an operation that has no object to show.
codec::Json success_status(int code);

// `299 - "<warning>"` for each.
void add_warnings(const std::vector<std::string>& warnings, http::Response& response);

}  // namespace skiff::apiserver
