// Bootstrap tokens: "<id>.<secret>", in Secrets of type bootstrap.kubernetes.io/token of
// kube-system.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/age.h>
#include <skiff/base/clock.h>

#include <memory>
#include <string>
#include <vector>

namespace skiff::auth {

// Users system:bootstrap:<id> in system:bootstrappers. `audiences` are those of the API; the reader
// and the clock outlive it.
std::unique_ptr<TokenAuthenticator> make_bootstrap_tokens(const ObjectReader& reader,
                                                          const base::Clock& clock,
                                                          base::AgeOf age_of,
                                                          std::vector<std::string> audiences);

}  // namespace skiff::auth
