#include "runtime/shim_binary.h"

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "runtime/image/sha256.h"
#include "runtime/limits.h"

#include <zstd.h>

// The shim's file, compressed; made by the assembler (see meson.build).
extern "C" const char _binary_skiff_shim_start[];
extern "C" const char _binary_skiff_shim_end[];

namespace skiff::runtime {

namespace {

std::string_view compressed_shim() {
  return {_binary_skiff_shim_start,
          static_cast<std::size_t>(_binary_skiff_shim_end - _binary_skiff_shim_start)};
}

}  // namespace

base::Result<std::string> unpack_shim() {
  const auto packed = compressed_shim();
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > kShimBytesMax)
    return base::internal_error("the shim in this binary is damaged; install skiff anew");
  std::string program(size, '\0');
  const auto got = ZSTD_decompress(program.data(), program.size(), packed.data(), packed.size());
  if (got != program.size())
    return base::internal_error("the shim in this binary is damaged; install skiff anew");
  return program;
}

base::Result<std::string> install_shim(const std::vector<std::string>& folders) {
  for (const auto& folder : folders) {
    if (!sys::may_run_programs(folder)) continue;
    std::string digest = sha256_hex(compressed_shim()).substr(0, 16);
    std::string path = base::concat(folder, "/shim-", digest);
    // It has its name only when it is whole: no second look at what is there.
    if (sys::path_exists(path)) return path;
    SKIFF_ASSIGN_OR_RETURN(auto program, unpack_shim());
    SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(path, program, 0700));
    return path;
  }
  return base::invalid_argument(
      base::concat("programs cannot run from ", base::join(folders, " or "),
                   ": mount one of them without noexec, or choose another --data-dir"));
}

}  // namespace skiff::runtime
