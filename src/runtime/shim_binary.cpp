#include "runtime/shim_binary.h"

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "runtime/image/sha256.h"

// Made by the linker from the shim's file (see meson.build).
extern "C" const char _binary_skiff_shim_start[];
extern "C" const char _binary_skiff_shim_end[];

namespace skiff::runtime {

std::string_view shim_binary() {
  return {_binary_skiff_shim_start,
          static_cast<std::size_t>(_binary_skiff_shim_end - _binary_skiff_shim_start)};
}

base::Result<std::string> install_shim(const std::vector<std::string>& folders) {
  for (const auto& folder : folders) {
    if (!sys::may_run_programs(folder)) continue;
    std::string digest = sha256_hex(shim_binary()).substr(0, 16);
    std::string path = base::concat(folder, "/shim-", digest);
    // It has its name only when it is whole: no second look at what is there.
    if (!sys::path_exists(path))
      SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(path, shim_binary(), 0700));
    return path;
  }
  return base::invalid_argument(
      base::concat("programs cannot run from ", base::join(folders, " or "),
                   ": mount one of them without noexec, or choose another --data-dir"));
}

}  // namespace skiff::runtime
