// How much of the disk a pod takes, and whether that is more than it may.
#pragma once

#include <skiff/codec/json.h>

#include "agent/container/plan_env.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

// How large an emptyDir in memory may become: the least of its sizeLimit, the pod's memory limit
// and what pods may have of the node; 0 when none is known. Pure.
std::int64_t plan_memory_volume_bytes(const codec::Json& pod, const codec::Json& volume,
                                      const NodeFacts& node);

struct StorageLimit {
  std::string name;
  std::int64_t bytes_max = 0;
  std::string text;  // the quantity as the kubelet prints it
};
struct StorageLimits {
  std::vector<StorageLimit> volumes;     // emptyDirs on disk; one in memory is held by its tmpfs
  std::vector<StorageLimit> containers;  // limits.ephemeral-storage
  std::optional<StorageLimit> pod;       // the sum of the containers'; nothing without one
  bool empty() const { return volumes.empty() && containers.empty(); }
};
// Pure.
StorageLimits plan_storage_limits(const codec::Json& pod);

// Bytes on disk of what is in the folder, on its file system; of links the link. No more is
// counted once it is over `enough`. What goes away meanwhile does not count. Blocks.
std::int64_t folder_bytes(const std::string& path, std::int64_t enough);

// Where a pod writes.
struct StorageFolders {
  std::string pod_dir;  // its emptyDirs are in <pod_dir>/volumes
  std::map<std::string, std::vector<std::string>> containers;  // by name: root, logs
};
// The kubelet's sentence for the first limit that is exceeded. Blocks.
std::optional<std::string> find_storage_excess(const StorageFolders& folders,
                                               const StorageLimits& limits);

}  // namespace skiff::agent
