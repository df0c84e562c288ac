// Linux capabilities by name. Pure.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

using CapabilitySet = std::uint64_t;  // bit n: capability number n

// "CAP_NET_ADMIN", in order of number.
std::vector<std::string> capability_names(CapabilitySet set);
// "NET_ADMIN" and "CAP_NET_ADMIN" alike. Errors: invalid_argument.
base::Result<CapabilitySet> capability_named(std::string_view name);
// Those that containerd gives to a container.
CapabilitySet default_capabilities();
CapabilitySet all_capabilities();
// The default with `add` and `drop`, where "ALL" is every one; add wins over a dropped ALL.
base::Result<CapabilitySet> plan_capabilities(const std::vector<std::string>& add,
                                              const std::vector<std::string>& drop);

}  // namespace skiff::runtime
