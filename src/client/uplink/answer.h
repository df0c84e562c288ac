// What a master answers, as the values of client::Client.
#pragma once

#include <skiff/api/object.h>
#include <skiff/base/result.h>
#include <skiff/http/client.h>

#include <cstdint>
#include <string_view>

namespace skiff::client {

constexpr bool is_success(int http_status) { return http_status >= 200 && http_status < 300; }
// Of an error that says nothing about itself.
inline constexpr int kServerError = 500;
// The master is in trouble: the same request may work later.
bool is_passing(const base::Status& error);
// The Status object of an error answer; the HTTP status where there is none.
base::Status error_of(int http_status, std::string_view body);
// The object of an answer, or its error.
base::Result<codec::Json> object_of(const base::Result<http::ClientResponse>& answer);
// An object as it was sent, with its resourceVersion, in the form in which informers keep it.
base::Result<api::StoredObject> stored_object(std::string_view json);
// The object of a line of a watch, and the error of one whose type is ERROR.
base::Result<api::StoredObject> object_of_event(std::string_view line);
base::Status error_of_event(std::string_view line);
// Errors: invalid_argument for what is no revision.
base::Result<std::uint64_t> revision_of(std::string_view resource_version);

}  // namespace skiff::client
