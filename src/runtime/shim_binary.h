// The shim's program, embedded in this one.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>

namespace skiff::runtime {

std::string_view shim_binary();
// Writes it to <runtime_dir>/shim-<digest> unless it is there; returns the path.
base::Result<std::string> install_shim(const std::string& runtime_dir);

}  // namespace skiff::runtime
