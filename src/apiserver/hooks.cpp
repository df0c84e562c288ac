#include "apiserver/hooks.h"

#include <skiff/api/object.h>
#include <skiff/api/validation.h>

#include "apiserver/filters/filters.h"
#include "apiserver/join/node_names.h"
#include "apiserver/roles/escalation.h"
#include "apiserver/signing_request.h"

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
  SKIFF_CO_CHECK(claim_node_key(context_, object, live));
  auto a = attributes(object, live);
  auto task = context_.services.admission->mutate(a, object, live);
  SKIFF_CO_CHECK(co_await std::move(task));
  complete_signing_request(context_, object, live);
  co_return check_escalation(context_, object, live);
}

// A PUT or an apply that finds nothing creates: that is another permission.
api::Outcome<> AdmissionHooks::check_create(const Json& object, const Json& live) const {
  const auto& verb = context_.info.verb;
  if (object.is_null() || !live.is_null() || (verb != "update" && verb != "patch")) {
    return api::Done{};
  }
  return authorize_also(context_, "create");
}

base::Task<api::Outcome<>> AdmissionHooks::validate(const Json& object, const Json& live) {
  SKIFF_CO_CHECK(check_create(object, live));
  if (!object.is_null() && context_.info.subresource.empty()) {
    auto warnings = api::warnings_for(*context_.info.type, object);
    context_.warnings.insert(context_.warnings.end(), warnings.begin(), warnings.end());
  }
  auto a = attributes(object, live);
  auto task = context_.services.admission->validate(a, object, live);
  co_return co_await std::move(task);
}

}  // namespace skiff::apiserver
