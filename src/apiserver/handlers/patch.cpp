#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/handlers/identity.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Applies a patch to whatever is live now, as often as it takes.
class PatchTransform final : public registry::Transform {
 public:
  PatchTransform(RequestContext& context, PatchKind kind, const Json& patch,
                 const WriteParameters& parameters, const api::TypeInfo& type)
      : context_(context), kind_(kind), patch_(patch), parameters_(parameters), type_(type) {}

  api::Outcome<Json> apply(const Json& live) override {
    SKIFF_TRY(auto patched, merge(live));
    // Warnings of an earlier try would repeat.
    context_.warnings.clear();
    SKIFF_TRY(auto object,
              check_object(context_, type_, std::move(patched), parameters_.field_validation, {}));
    if (&type_ == context_.info.type->type) api::apply_defaults(type_, object);
    SKIFF_CHECK(check_identity(object, live));
    return object;
  }

 private:
  api::Outcome<Json> merge(const Json& live) {
    auto outcome = [](api::PatchResult result) -> api::Outcome<Json> {
      if (auto* error = std::get_if<api::ApiError>(&result)) return std::move(*error);
      return std::get<Json>(std::move(result));
    };
    switch (kind_) {
      case PatchKind::json: return outcome(api::apply_json_patch(live, patch_));
      case PatchKind::merge:
        if (!patch_.is_object()) {
          return api::bad_request_error("the merge patch must be an object");
        }
        return api::apply_merge_patch(live, patch_);
      case PatchKind::strategic:
        if (!patch_.is_object()) {
          return api::bad_request_error("the strategic merge patch must be an object");
        }
        return outcome(api::apply_strategic_merge_patch(type_, live, patch_));
      case PatchKind::apply: break;
    }
    const auto& resource = *context_.info.type;
    api::ApplyOptions options;
    options.manager = parameters_.field_manager;
    options.subresource = context_.info.subresource;
    options.api_version = resource.group.empty()
                              ? std::string(resource.version)
                              : base::concat(resource.group, "/", resource.version);
    options.force = parameters_.force;
    options.now = context_.services.clock().now();
    return outcome(api::server_side_apply(type_, live, patch_, options));
  }

  api::Outcome<> check_identity(Json& object, const Json& live) const {
    const auto& info = context_.info;
    SKIFF_CHECK(take_identity(info, object));
    auto uid = api::uid_of(object);
    if (!live.is_null() && !uid.empty() && uid != api::uid_of(live)) {
      return api::conflict_error(info.group, info.resource, info.name,
                                 base::concat("Precondition failed: UID in precondition: ", uid,
                                              ", UID in object meta: ", api::uid_of(live)));
    }
    return api::Done{};
  }

  RequestContext& context_;
  const PatchKind kind_;
  const Json& patch_;
  const WriteParameters& parameters_;
  const api::TypeInfo& type_;
};

api::Outcome<PatchKind> patch_kind(const http::Request& request) {
  auto type = content_type(request);
  if (type == "application/json-patch+json") return PatchKind::json;
  if (type == "application/merge-patch+json") return PatchKind::merge;
  if (type == "application/strategic-merge-patch+json") return PatchKind::strategic;
  if (type == "application/apply-patch+yaml") return PatchKind::apply;
  return api::unsupported_media_type_error(
      "the body of the request was in an unknown format - accepted media types include: "
      "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, "
      "application/strategic-merge-patch+json");
}

// The applied configuration is an object of the type by itself: names, kind and fields.
api::Outcome<Json> check_applied(RequestContext& context, const api::TypeInfo& type, Json applied,
                                 const WriteParameters& parameters,
                                 std::vector<std::string> unknown) {
  if (std::as_const(applied)["apiVersion"].as_string().empty() ||
      std::as_const(applied)["kind"].as_string().empty()) {
    return api::bad_request_error(
        "invalid object type: /, Kind=: apiVersion and kind must be set in an apply patch");
  }
  if (!std::as_const(applied)["metadata"]["managedFields"].empty()) {
    return api::bad_request_error("metadata.managedFields must be nil");
  }
  return check_object(context, type, std::move(applied), parameters.field_validation,
                      std::move(unknown));
}

}  // namespace

base::Task<api::Outcome<registry::Written>> patch_object(RequestContext& context, PatchKind kind,
                                                         Json patch, WriteParameters parameters) {
  const auto* type = body_type(context.info);
  if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
  const auto before = context.warnings;
  PatchTransform transform(context, kind, patch, parameters, *type);
  registry::WriteOptions options;
  options.dry_run = parameters.dry_run;
  options.field_manager = parameters.field_manager;
  options.is_apply = kind == PatchKind::apply;
  options.create_when_absent = options.is_apply && context.info.subresource.empty();
  AdmissionHooks hooks(context, options.dry_run);
  auto updating =
      context.services.registry->update(context.scope(), transform, std::move(options), hooks);
  auto written = co_await std::move(updating);
  context.warnings.insert(context.warnings.end(), before.begin(), before.end());
  co_return written;
}

base::Task<ResponseOutcome> handle_patch(RequestContext& context) {
  SKIFF_CO_TRY(auto kind, patch_kind(context.request));
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "PatchOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  std::vector<std::string> unknown;
  SKIFF_CO_TRY(auto patch, parse_body(context, context.info.type->kind, &unknown));
  if (kind == PatchKind::apply) {
    const auto* type = body_type(context.info);
    if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
    SKIFF_CO_TRY(patch,
                 check_applied(context, *type, std::move(patch), parameters, std::move(unknown)));
  } else if (!unknown.empty() && parameters.field_validation == FieldValidation::strict) {
    co_return api::bad_request_error(
        base::concat("strict decoding error: ", base::join(unknown, ", ")));
  } else if (parameters.field_validation == FieldValidation::warn) {
    context.warnings = std::move(unknown);
  }
  auto patching = patch_object(context, kind, std::move(patch), std::move(parameters));
  SKIFF_CO_TRY(auto written, co_await std::move(patching));
  co_return written_response(context, written.created ? 201 : 200, written);
}

}  // namespace skiff::apiserver
