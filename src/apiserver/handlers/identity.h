// What a body says of its own name and namespace, against the URL that it was sent to.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>

namespace skiff::apiserver {

struct RequestInfo;

// Writes the URL's namespace into the object; 400 where the object names another one.
api::Outcome<> take_namespace(const RequestInfo& info, codec::Json& object);

// Writes the URL's name and namespace into the object; 400 where the object names others.
api::Outcome<> take_identity(const RequestInfo& info, codec::Json& object);

}  // namespace skiff::apiserver
