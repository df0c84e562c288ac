#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "apiserver/handlers/handlers.h"
#include "apiserver/handlers/identity.h"
#include "apiserver/handlers/patch_notes.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Applies a patch to whatever is live now, as often as it takes.
class PatchTransform final : public registry::Transform {
 public:
  PatchTransform(RequestContext& context, PatchKind kind, const Json& patch,
                 const WriteParameters& parameters, const api::TypeInfo& type,
                 const std::vector<std::string>& notes)
      : context_(context),
        kind_(kind),
        patch_(patch),
        parameters_(parameters),
        type_(type),
        notes_(notes) {}

  api::Outcome<Json> apply(const Json& live) override {
    SKIFF_TRY(auto patched, merge(live));
    // Warnings of an earlier try would repeat.
    context_.warnings.clear();
    // A refusal shows what these patches make, fields that are none included.
    const bool is_shown = parameters_.field_validation == FieldValidation::strict &&
                          (kind_ == PatchKind::json || kind_ == PatchKind::merge);
    const Json shown = is_shown ? patched : Json();
    std::vector<std::string> unknown;
    SKIFF_TRY(auto object, check_object(context_, type_, std::move(patched),
                                        FieldValidation::ignore, {}, &unknown));
    SKIFF_CHECK(judge(std::move(unknown), shown));
    if (&type_ == context_.info.type->type) api::apply_defaults(type_, object);
    SKIFF_CHECK(check_identity(object, live));
    return object;
  }

 private:
  // What the patch says twice, then what is no field, in the order of the names.
  api::Outcome<> judge(std::vector<std::string> unknown, const Json& shown) {
    if (parameters_.field_validation == FieldValidation::ignore) return api::Done{};
    std::sort(unknown.begin(), unknown.end());
    std::vector<std::string> notes = notes_;
    notes.insert(notes.end(), unknown.begin(), unknown.end());
    if (notes.empty()) return api::Done{};
    if (parameters_.field_validation == FieldValidation::strict)
      return strict_patch_error(kind_, patch_, shown, notes);
    context_.warnings.insert(context_.warnings.end(), notes.begin(), notes.end());
    return api::Done{};
  }

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
  const std::vector<std::string>& notes_;  // of the patch itself
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
                                 const std::vector<std::string>& duplicates) {
  if (std::as_const(applied)["apiVersion"].as_string().empty() ||
      std::as_const(applied)["kind"].as_string().empty()) {
    return api::bad_request_error(
        "invalid object type: /, Kind=: apiVersion and kind must be set in an apply patch");
  }
  if (!std::as_const(applied)["metadata"]["managedFields"].empty()) {
    return api::bad_request_error("metadata.managedFields must be nil");
  }
  return check_object(context, type, std::move(applied), parameters.field_validation, duplicates);
}

}  // namespace

base::Task<api::Outcome<registry::Written>> patch_object(RequestContext& context, PatchKind kind,
                                                         Json patch, WriteParameters parameters,
                                                         std::vector<std::string> notes) {
  const auto* type = body_type(context.info);
  if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
  const auto before = context.warnings;
  PatchTransform transform(context, kind, patch, parameters, *type, notes);
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
  std::vector<std::string> duplicates, notes;
  SKIFF_CO_TRY(auto patch, parse_body(context, context.info.type->kind, &duplicates));
  if (kind == PatchKind::apply) {
    const auto* type = body_type(context.info);
    if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
    SKIFF_CO_TRY(patch, check_applied(context, *type, std::move(patch), parameters, duplicates));
  } else {
    notes = patch_notes(kind, patch, duplicates);
  }
  auto patching =
      patch_object(context, kind, std::move(patch), std::move(parameters), std::move(notes));
  SKIFF_CO_TRY(auto written, co_await std::move(patching));
  co_return written_response(context, written.created ? 201 : 200, written);
}

}  // namespace skiff::apiserver
