// What the host of a node is and has, as far as the status of the node says it.
#pragma once

#include <cstdint>
#include <string>

namespace skiff::agent {

struct HostFacts {
  int cpus = 1;
  std::int64_t memory_bytes = 0, memory_available_bytes = 0, memory_free_bytes = 0;
  std::int64_t disk_bytes = 0, disk_available_bytes = 0;  // of the file system of the data folder
  std::int64_t inodes = 0, inodes_available = 0;
  std::int64_t pids_max = 0, pids_used = 0;
  std::string machine_id, system_uuid, boot_id, kernel_version, os_image, architecture;
  bool has_memory_controller = true;
};

}  // namespace skiff::agent
