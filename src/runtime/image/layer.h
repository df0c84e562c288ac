// Unpacking archives.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <string>

namespace skiff::runtime {

struct UnpackOptions {
  // A layer: whiteouts become overlayfs's, owners, modes, devices and attributes are kept.
  // Otherwise only folders, files and links matter (an archive of an image).
  bool is_layer = true;
  std::uint64_t bytes_max = 0, entries_max = 0;
};
struct Unpacked {
  std::string diff_id;      // digest of the uncompressed tar
  std::uint64_t bytes = 0;  // of file contents
};
// Unpacks a tar (plain, gzip or zstd) into the empty folder `root_fd`. Names never lead out of it.
// Errors: invalid_argument (no archive, bad entry), too_large. Leaves a part behind after an error.
base::Result<Unpacked> unpack_archive(int archive_fd, int root_fd, const UnpackOptions& options);

}  // namespace skiff::runtime
