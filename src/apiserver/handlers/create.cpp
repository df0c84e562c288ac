#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/encode.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/handlers/identity.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

const api::TypeInfo* body_type(const RequestInfo& info) {
  if (info.subtype != nullptr && info.subtype->kind != info.type->kind) {
    auto group = info.subtype->group;
    auto version = info.subtype->version;
    // A subresource without a group version of its own has its parent's.
    if (group.empty() && version.empty()) {
      group = info.type->group;
      version = info.type->version;
    }
    return api::find_type(group, version, info.subtype->kind);
  }
  return info.type->type;
}

api::Outcome<http::Response> written_response(const RequestContext& context, int status,
                                              const registry::Written& written) {
  SKIFF_TRY(auto form, negotiate(context, true));
  if (written.tree) return json_response(status, form, *written.tree);
  const auto& resource = *context.info.type;
  if (context.info.subresource == "scale") {
    return json_response(status, form, registry::scale_of(shown_tree(resource, written.stored)));
  }
  SKIFF_TRY(auto include, include_object_of(context));
  ObjectEncoder encoder(resource, form, static_cast<IncludeObject>(include),
                        context.services.clock());
  if (encoder.is_plain()) return stored_response(status, form, written.stored);
  std::string text;
  encoder.append_alone(written.stored, text);
  return text_response(status, form, std::move(text));
}

base::Task<api::Outcome<registry::Written>> create_object(RequestContext& context, Json object,
                                                          WriteParameters parameters) {
  SKIFF_CO_CHECK(take_namespace(context.info, object));
  api::apply_defaults(*context.info.type->type, object);
  auto scope = context.scope();
  scope.name = api::name_of(object);
  registry::WriteOptions options;
  options.dry_run = parameters.dry_run;
  options.field_manager = std::move(parameters.field_manager);
  AdmissionHooks hooks(context, options.dry_run);
  auto creating = context.services.registry->create(std::move(scope), std::move(object),
                                                    std::move(options), hooks);
  co_return co_await std::move(creating);
}

base::Task<ResponseOutcome> handle_create(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "CreateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  SKIFF_CO_TRY(auto object,
               decode_body(context, *context.info.type->type, parameters.field_validation));
  auto creating = create_object(context, std::move(object), std::move(parameters));
  SKIFF_CO_TRY(auto written, co_await std::move(creating));
  co_return written_response(context, 201, written);
}

}  // namespace skiff::apiserver
