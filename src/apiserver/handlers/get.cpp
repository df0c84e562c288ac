#include "apiserver/encode.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/selection.h"

namespace skiff::apiserver {

using codec::Json;

api::Outcome<int> include_object_of(const RequestContext& context) {
  auto include = context.parameter("includeObject");
  if (include.empty() || include == "Metadata") return static_cast<int>(IncludeObject::metadata);
  if (include == "None") return static_cast<int>(IncludeObject::none);
  if (include == "Object") return static_cast<int>(IncludeObject::object);
  return api::bad_request_error(
      "unrecognized includeObject value: must be None, Metadata or Object");
}

base::Task<ResponseOutcome> handle_get(RequestContext& context) {
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  auto waiting = snapshot_at_least(
      context.services, std::string(context.parameter("resourceVersion")), context.request.cancel);
  SKIFF_CO_TRY(auto snapshot, co_await std::move(waiting));
  const auto& resource = *context.info.type;
  auto entry = snapshot.get(registry::key_of(context.scope()));
  if (!entry) {
    co_return api::not_found_error(resource.group, resource.resource, context.info.name);
  }
  api::StoredObject object(entry->value, entry->revision);
  if (context.info.subresource == "scale") {
    co_return json_response(200, form, registry::scale_of(shown_tree(resource, object)));
  }
  SKIFF_CO_TRY(auto include, include_object_of(context));
  ObjectEncoder encoder(resource, form, static_cast<IncludeObject>(include),
                        context.services.clock());
  if (encoder.is_plain()) co_return stored_response(200, form, object);
  std::string text;
  encoder.append_alone(object, text);
  co_return text_response(200, form, std::move(text));
}

}  // namespace skiff::apiserver
