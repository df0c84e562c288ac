#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/handlers/identity.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// The body replaces what is there.
class Replace final : public registry::Transform {
 public:
  explicit Replace(const Json& object) : object_(object) {}
  api::Outcome<Json> apply(const Json&) override { return object_; }

 private:
  const Json& object_;
};

api::Outcome<> check_identity(const RequestInfo& info, Json& object) {
  if (api::name_of(object).empty() && info.subresource.empty()) {
    return api::bad_request_error("name must be provided");
  }
  return take_identity(info, object);
}

}  // namespace

base::Task<api::Outcome<registry::Written>> update_object(RequestContext& context, Json object,
                                                          WriteParameters parameters) {
  SKIFF_CO_CHECK(check_identity(context.info, object));
  const auto* type = body_type(context.info);
  if (type == context.info.type->type) api::apply_defaults(*type, object);
  Replace transform(object);
  registry::WriteOptions options;
  options.dry_run = parameters.dry_run;
  options.is_replace = true;
  options.field_manager = std::move(parameters.field_manager);
  AdmissionHooks hooks(context, options.dry_run);
  auto updating =
      context.services.registry->update(context.scope(), transform, std::move(options), hooks);
  co_return co_await std::move(updating);
}

base::Task<ResponseOutcome> handle_update(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "UpdateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  const auto* type = body_type(context.info);
  if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
  SKIFF_CO_TRY(auto object, decode_body(context, *type, parameters.field_validation));
  auto updating = update_object(context, std::move(object), std::move(parameters));
  SKIFF_CO_TRY(auto written, co_await std::move(updating));
  co_return written_response(context, written.created ? 201 : 200, written);
}

}  // namespace skiff::apiserver
