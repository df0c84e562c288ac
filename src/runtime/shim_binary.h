// The shim's program, embedded in this one, compressed.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <vector>

namespace skiff::runtime {

// The program's file. Errors: internal, when this binary is damaged.
base::Result<std::string> unpack_shim();
// Writes it as shim-<digest> to the first of the folders that may hold programs (systemd mounts
// /run noexec) unless it is there; returns the path.
base::Result<std::string> install_shim(const std::vector<std::string>& folders);

}  // namespace skiff::runtime
