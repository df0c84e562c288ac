#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/encode.h"
#include "apiserver/handlers/delete_options.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/hooks.h"
#include "apiserver/selection.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Kinds whose delete answers with the object that went.
bool answers_with_object(const api::ResourceInfo& resource) {
  return resource.group.empty() &&
         (resource.resource == "pods" || resource.resource == "services" ||
          resource.resource == "serviceaccounts");
}

http::Response gone_response(const RequestContext& context, const Form& form,
                             const registry::Deleted& deleted) {
  const auto& resource = *context.info.type;
  Json status = success_status(200);
  status.erase("code");
  Json details = Json::object({{"name", deleted.stored.name()}});
  if (!resource.group.empty()) details.set("group", resource.group);
  details.set("kind", resource.resource);
  details.set("uid", deleted.stored.uid());
  status.set("details", std::move(details));
  return json_response(200, form, status);
}

}  // namespace

base::Task<api::Outcome<registry::Deleted>> delete_object(RequestContext& context,
                                                          registry::DeleteOptions options) {
  AdmissionHooks hooks(context, options.dry_run);
  auto removing = context.services.registry->remove(context.scope(), std::move(options), hooks);
  co_return co_await std::move(removing);
}

base::Task<ResponseOutcome> handle_delete(RequestContext& context) {
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  SKIFF_CO_TRY(auto options, delete_options(context));
  const bool foreground = options.propagation_policy == "Foreground";
  auto removing = delete_object(context, std::move(options));
  SKIFF_CO_TRY(auto deleted, co_await std::move(removing));
  if (deleted.gone && !answers_with_object(*context.info.type)) {
    co_return gone_response(context, form, deleted);
  }
  registry::Written shown;
  shown.stored = deleted.stored;
  co_return written_response(context, !deleted.gone && foreground ? 202 : 200, shown);
}

base::Task<ResponseOutcome> handle_delete_collection(RequestContext& context) {
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  SKIFF_CO_TRY(auto options, delete_options(context));
  SKIFF_CO_TRY(auto parameters, list_parameters(context.query));
  auto scope = context.scope();
  scope.name.clear();
  auto selecting =
      select_objects(context.services, scope, std::move(parameters), context.request.cancel);
  SKIFF_CO_TRY(auto selected, co_await std::move(selecting));
  for (auto& item : selected.items) {
    context.info.name = item.name();
    context.info.namespace_name = item.namespace_name();
    auto removing = delete_object(context, options);
    auto deleted = co_await std::move(removing);
    // Somebody else was faster: that is what the client wants.
    if (!deleted.is_ok() && deleted.error().code != 404) co_return deleted.error();
    if (deleted.is_ok()) item = deleted.value().stored;
  }
  context.info.name.clear();
  ObjectEncoder encoder(*context.info.type, form, IncludeObject::metadata,
                        context.services.clock());
  std::string text = encoder.list_head(selected.revision, selected.continue_token, 0);
  for (std::size_t i = 0; i < selected.items.size(); ++i) {
    if (i != 0) text += ',';
    encoder.append_item(selected.items[i], text);
  }
  text += encoder.list_tail();
  co_return text_response(200, form, std::move(text));
}

}  // namespace skiff::apiserver
