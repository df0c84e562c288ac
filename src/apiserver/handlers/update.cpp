#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
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

api::Outcome<> check_identity(const RequestContext& context, Json& object) {
  const auto& info = context.info;
  auto name = api::name_of(object);
  if (name.empty() && info.subresource.empty()) {
    return api::bad_request_error("name must be provided");
  }
  if (!name.empty() && name != info.name) {
    return api::bad_request_error(base::concat("the name of the object (", name,
                                               ") does not match the name on the URL (", info.name,
                                               ")"));
  }
  auto namespace_name = api::namespace_of(object);
  const bool agrees =
      namespace_name.empty() || (info.type->namespaced && namespace_name == info.namespace_name);
  if (!agrees) {
    return api::bad_request_error(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  object["metadata"].set("name", info.name);
  if (info.type->namespaced) object["metadata"].set("namespace", info.namespace_name);
  return api::Done{};
}

}  // namespace

base::Task<api::Outcome<registry::Written>> update_object(RequestContext& context, Json object,
                                                          WriteParameters parameters) {
  SKIFF_CO_CHECK(check_identity(context, object));
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
