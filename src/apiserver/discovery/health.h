// /livez, /readyz, /healthz and what /metrics says of the store.
#pragma once

#include <string>
#include <string_view>

#include "apiserver/respond.h"

namespace skiff::apiserver {

#if defined(__x86_64__)
inline constexpr std::string_view kPlatform = "linux/amd64";
#elif defined(__aarch64__)
inline constexpr std::string_view kPlatform = "linux/arm64";
#else
inline constexpr std::string_view kPlatform = "linux/arm";
#endif

// `check` is "" for all checks, or "/<name>" for one.
ResponseOutcome health_response(const RequestContext& context, std::string_view endpoint,
                                std::string_view check);

void append_store_metrics(const Services& services, std::string& out);

}  // namespace skiff::apiserver
