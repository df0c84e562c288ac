// What this build calls itself.
#pragma once

#include <string_view>

namespace skiff::base {

// The Kubernetes API that is served, and our own release after "+skiff.".
inline constexpr std::string_view kKubernetesMajor = "1";
inline constexpr std::string_view kKubernetesMinor = "36";
inline constexpr std::string_view kGitVersion = "v1.36.0+skiff.1";

}  // namespace skiff::base
