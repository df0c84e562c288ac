#include <skiff/api/errors.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::Reason;

TEST_CASE("an error is written as upstream's Status, to the letter") {
  struct Row {
    api::ApiError error;
    const char* json;
  };
  const Row rows[] = {
      {api::not_found_error("", "pods", "x"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"pods"},"code":404})"},
      {api::already_exists_error("apps", "deployments", "web"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"web\" already exists","reason":"AlreadyExists","details":{"name":"web","group":"apps","kind":"deployments"},"code":409})"},
      {api::conflict_error("", "pods", "x",
                           "the object has been modified; please apply your changes to the latest "
                           "version and try again"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on pods \"x\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"x","kind":"pods"},"code":409})"},
      {api::forbidden_error("", "", "", "User \"x\" cannot get path \"/\""),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: User \"x\" cannot get path \"/\"","reason":"Forbidden","details":{},"code":403})"},
      {api::unauthorized_error(),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401})"},
      {api::internal_api_error("disk"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: disk","reason":"InternalError","details":{"causes":[{"message":"disk"}]},"code":500})"},
      {api::too_many_requests_error("busy", 1),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"busy","reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429})"},
      {api::too_large_error("limit is 3145728"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413})"},
      {api::method_not_allowed_error("apps", "deployments", "patch"),
       R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"patch is not supported on resources of kind \"deployments.apps\"","reason":"MethodNotAllowed","details":{"group":"apps","kind":"deployments"},"code":405})"},
  };
  for (const auto& row : rows) CHECK(codec::write_json(row.error.to_json()) == row.json);
}

TEST_CASE("a forbidden error names what it can") {
  CHECK(api::forbidden_error("", "", "", "no").message == "forbidden: no");
  CHECK(api::forbidden_error("", "pods", "", "no").message == "pods is forbidden: no");
  CHECK(api::forbidden_error("", "pods", "x", "no").message == "pods \"x\" is forbidden: no");
}

TEST_CASE("a Success Status has no code and no reason") {
  api::ApiError success;
  success.code = 200;
  success.reason = Reason::unknown;
  success.name = "x";
  success.kind = "pods";
  success.uid = "u";
  CHECK(
      codec::write_json(success.to_json()) ==
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"x","kind":"pods","uid":"u"}})");
  CHECK(api::to_base_status(success).is_ok());
}

TEST_CASE("a Status survives the way over the wire") {
  api::ApiError error = api::conflict_error("apps", "deployments", "web", "because");
  error.causes = {{"FieldManagerConflict", "m", ".spec"}};
  error.uid = "u";
  auto again = api::ApiError::from_json(error.to_json());
  CHECK(codec::write_json(again.to_json()) == codec::write_json(error.to_json()));
}

TEST_CASE("controllers see the code of the reason") {
  using base::Code;
  CHECK(api::to_base_status(api::not_found_error("", "pods", "x")).code() == Code::not_found);
  CHECK(api::to_base_status(api::already_exists_error("", "pods", "x")).code() ==
        Code::already_exists);
  CHECK(api::to_base_status(api::conflict_error("", "pods", "x", "")).code() == Code::conflict);
  CHECK(api::to_base_status(api::expired_error("old")).code() == Code::expired);
  CHECK(api::to_base_status(api::unauthorized_error()).code() == Code::unauthenticated);
  CHECK(api::to_base_status(api::forbidden_error("", "pods", "", "")).code() ==
        Code::permission_denied);
  CHECK(api::to_base_status(api::too_many_requests_error("", 1)).code() == Code::too_many_requests);
  CHECK(api::to_base_status(api::service_unavailable_error("")).code() == Code::unavailable);
  // Statuses of others need not have a reason that we know.
  auto foreign = codec::parse_json(R"({"status":"Failure","reason":"Odd","code":409})");
  CHECK(api::to_base_status(api::ApiError::from_json(*foreign)).code() == Code::conflict);
  CHECK(api::to_base_status(api::ApiError::from_json(codec::Json(7))).code() == Code::internal);
}
