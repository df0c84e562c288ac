// Laying one unpacked layer over a folder, where overlayfs is not available.
#pragma once

#include <skiff/base/result.h>

namespace skiff::runtime {

// Applies overlayfs whiteouts and opaque folders of `from_fd` to `to_fd` and copies the rest with
// owners, modes, times, links and attributes (hard links become files of their own).
base::Status copy_layer_over(int from_fd, int to_fd);

}  // namespace skiff::runtime
