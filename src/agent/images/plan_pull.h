// Whether to pull, and with which credentials. Pure.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>

#include "agent/container/plan_env.h"

#include <string>
#include <string_view>
#include <vector>

namespace skiff::agent {

enum class PullDecision : unsigned char { use_present, pull, refuse };
// `policy` is Always, IfNotPresent or Never; empty means IfNotPresent, or Always for ":latest".
PullDecision plan_pull(std::string_view policy, std::string_view image, bool is_present);

// Credentials for `registry` from imagePullSecrets (kubernetes.io/dockerconfigjson and
// dockercfg); those that cannot be read are left out. Longer paths come first.
std::vector<runtime::RegistryAuth> plan_credentials(const codec::Json& pod,
                                                    const ConfigSources& sources,
                                                    const runtime::ImageReference& image);

// The names of imagePullSecrets that do not exist.
std::vector<std::string> plan_missing_pull_secrets(const codec::Json& pod,
                                                   const ConfigSources& sources);

}  // namespace skiff::agent
