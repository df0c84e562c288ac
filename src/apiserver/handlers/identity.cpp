#include "apiserver/handlers/identity.h"

#include <skiff/api/errors.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/request_info.h"

namespace skiff::apiserver {

api::Outcome<> take_namespace(const RequestInfo& info, codec::Json& object) {
  auto given = api::namespace_of(object);
  if (!given.empty() && !(info.type->namespaced && given == info.namespace_name)) {
    return api::bad_request_error(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  codec::Json& metadata = object["metadata"];
  if (metadata.is_null()) metadata = codec::Json::object();
  if (info.type->namespaced) metadata.set("namespace", info.namespace_name);
  return api::Done{};
}

api::Outcome<> take_identity(const RequestInfo& info, codec::Json& object) {
  auto name = api::name_of(object);
  if (!name.empty() && name != info.name) {
    return api::bad_request_error(base::concat("the name of the object (", name,
                                               ") does not match the name on the URL (", info.name,
                                               ")"));
  }
  SKIFF_CHECK(take_namespace(info, object));
  object["metadata"].set("name", info.name);
  return api::Done{};
}

}  // namespace skiff::apiserver
