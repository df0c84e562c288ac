#include "client/uplink/answer.h"

#include <skiff/api/errors.h>
#include <skiff/base/strings.h>

#include "client/limits.h"

#include <charconv>
#include <utility>

namespace skiff::client {

namespace {

constexpr std::size_t kQuotedBytesMax = 512;  // of an answer that nobody expects, in a sentence

base::Result<codec::Json> parse(std::string_view text) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = kObjectBytesMax;
  return codec::parse_json(text, options);
}

// Ok when it is no error.
base::Status error_of_status(const codec::Json& status) {
  if (status["kind"].as_string() != "Status") return base::Status::ok();
  return api::to_base_status(api::ApiError::from_json(status));
}

base::Result<api::StoredObject> stored(const codec::Json& tree) {
  if (!tree["metadata"].is_object()) return base::invalid_argument("an object has no metadata");
  SKIFF_ASSIGN_OR_RETURN(auto revision, revision_of(api::resource_version_of(tree)));
  return api::StoredObject(api::StoredObject::encode(tree), revision);
}

}  // namespace

bool is_passing(const base::Status& error) {
  return error.code() == base::Code::unavailable || error.code() == base::Code::deadline_exceeded ||
         error.code() == base::Code::too_many_requests || error.code() == base::Code::internal;
}

base::Status error_of(int http_status, std::string_view body) {
  if (auto tree = parse(body)) {
    auto error = error_of_status(*tree);
    if (!error.is_ok()) return error;
  }
  api::ApiError error;
  error.code = http_status;
  error.reason = api::Reason::unknown;
  error.message =
      base::concat("HTTP ", http_status, ": ", base::trim(body.substr(0, kQuotedBytesMax)));
  return api::to_base_status(error);
}

base::Result<codec::Json> object_of(const base::Result<http::ClientResponse>& answer) {
  if (!answer) return answer.status();
  if (!is_success(answer->status)) return error_of(answer->status, answer->body);
  auto tree = parse(answer->body);
  if (!tree) return base::internal_error("the master's answer is no JSON");
  return tree;
}

base::Result<std::uint64_t> revision_of(std::string_view resource_version) {
  std::uint64_t revision = 0;
  const char* end = resource_version.data() + resource_version.size();
  auto [last, error] = std::from_chars(resource_version.data(), end, revision);
  if (error != std::errc() || last != end || resource_version.empty())
    return base::invalid_argument("not a resourceVersion");
  return revision;
}

base::Result<api::StoredObject> stored_object(std::string_view json) {
  SKIFF_ASSIGN_OR_RETURN(auto tree, parse(json));
  return stored(tree);
}

base::Result<api::StoredObject> object_of_event(std::string_view line) {
  SKIFF_ASSIGN_OR_RETURN(const auto tree, parse(line));
  return stored(tree["object"]);
}

base::Status error_of_event(std::string_view line) {
  auto tree = parse(line);
  auto error = tree ? error_of_status(std::as_const(*tree)["object"]) : base::Status::ok();
  return error.is_ok() ? error_of(kServerError, line) : error;
}

}  // namespace skiff::client
