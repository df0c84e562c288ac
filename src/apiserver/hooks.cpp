#include "apiserver/hooks.h"

#include <skiff/api/object.h>
#include <skiff/api/validation.h>

namespace skiff::apiserver {

using codec::Json;

admission::Attributes AdmissionHooks::attributes(const Json& object, const Json& live) const {
  admission::Attributes a;
  a.operation = admission::Operation::update;
  if (live.is_null()) a.operation = admission::Operation::create;
  if (object.is_null()) a.operation = admission::Operation::remove;
  a.resource = context_.info.type;
  a.subresource = context_.info.subresource;
  a.namespace_name = context_.info.namespace_name;
  a.name = context_.info.name;
  if (a.name.empty()) a.name = api::name_of(object.is_null() ? live : object);
  a.user = &context_.user;
  a.dry_run = dry_run_;
  a.warnings = &context_.warnings;
  return a;
}

base::Task<api::Outcome<>> AdmissionHooks::mutate(Json& object, const Json& live) {
  auto a = attributes(object, live);
  auto task = context_.services.admission->mutate(a, object, live);
  co_return co_await std::move(task);
}

base::Task<api::Outcome<>> AdmissionHooks::validate(const Json& object, const Json& live) {
  if (!object.is_null() && context_.info.subresource.empty()) {
    auto warnings = api::warnings_for(*context_.info.type, object);
    context_.warnings.insert(context_.warnings.end(), warnings.begin(), warnings.end());
  }
  auto a = attributes(object, live);
  auto task = context_.services.admission->validate(a, object, live);
  co_return co_await std::move(task);
}

}  // namespace skiff::apiserver
