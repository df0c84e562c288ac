// How much of the disk the emptyDirs of a pod take, and whether that is more than they may.
#pragma once

#include <skiff/codec/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

// An emptyDir on disk with a sizeLimit; one in memory is held to it by its tmpfs. Pure.
struct VolumeLimit {
  std::string name;
  std::int64_t bytes_max = 0;
  std::string text;  // the quantity as the kubelet prints it
};
std::vector<VolumeLimit> plan_volume_limits(const codec::Json& pod);

// Bytes on disk of what is in the folder, on its file system; of links the link. No more is
// counted once it is over `enough`. What goes away meanwhile does not count. Blocks.
std::int64_t folder_bytes(const std::string& path, std::int64_t enough);

// The kubelet's sentence for the first volume of `<pod_dir>/volumes` that is too large. Blocks.
std::optional<std::string> find_large_volume(const std::string& pod_dir,
                                             const std::vector<VolumeLimit>& limits);

}  // namespace skiff::agent
