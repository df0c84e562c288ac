// Our default system call filter, in the form of the OCI runtime specification. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <string_view>

#include "runtime/oci/capabilities.h"

namespace skiff::runtime {

// An allow list: what is not on it fails with EPERM. Some calls come with a capability.
codec::Json default_seccomp(CapabilitySet capabilities, std::string_view architecture);

}  // namespace skiff::runtime
