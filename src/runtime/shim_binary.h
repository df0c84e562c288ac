// The shim's program, embedded in this one.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

std::string_view shim_binary();
// Writes it as shim-<digest> to the first of the folders that may hold programs (systemd mounts
// /run noexec) unless it is there; returns the path.
base::Result<std::string> install_shim(const std::vector<std::string>& folders);

}  // namespace skiff::runtime
