// Admission as the registry's hooks around a write.
#pragma once

#include <skiff/registry/registry.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

// Lives as long as its request.
class AdmissionHooks final : public registry::WriteHooks {
 public:
  AdmissionHooks(RequestContext& context, bool dry_run) : context_(context), dry_run_(dry_run) {}
  base::Task<api::Outcome<>> mutate(codec::Json& object, const codec::Json& live) override;
  base::Task<api::Outcome<>> validate(const codec::Json& object, const codec::Json& live) override;

 private:
  api::Outcome<> check_create(const codec::Json& object, const codec::Json& live) const;
  admission::Attributes attributes(const codec::Json& object, const codec::Json& live) const;
  RequestContext& context_;
  const bool dry_run_;
};

}  // namespace skiff::apiserver
