// Control groups v1 (one hierarchy per controller, also hybrid) and v2 behind one interface; a null
// object where there are none. Paths are relative to the root of each hierarchy ("skiff/pod1").
// Thread-safe.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::sys {

enum class CgroupMode : unsigned char { none, v1, v2 };

// 0 leaves a value alone, -1 means no limit.
struct CgroupLimits {
  std::uint64_t cpu_shares = 0;  // v1 scale, 2 to 262144; converted for v2
  std::int64_t cpu_quota_us = 0, cpu_period_us = 0;
  std::int64_t memory_limit_bytes = 0;
  std::int64_t pids_limit = 0;
};

struct CgroupUsage {
  std::uint64_t cpu_ns = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t memory_working_set_bytes = 0;  // without inactive file pages
  std::int64_t pids = 0;
  std::uint64_t oom_kills = 0;
};

class Cgroups {
 public:
  virtual ~Cgroups() = default;
  virtual CgroupMode mode() const = 0;
  // "cpu", "memory", "pids", "cpuset", …
  virtual bool has_controller(std::string_view name) const = 0;
  // With parents; on v2 the controllers are enabled for children on the way.
  virtual base::Status create(const std::string& path) = 0;
  // Removes the group and those below it. Errors: unavailable while processes are in it.
  virtual base::Status remove(const std::string& path) = 0;
  // Controllers that are missing are skipped.
  virtual base::Status set_limits(const std::string& path, const CgroupLimits& limits) = 0;
  virtual base::Status add_process(const std::string& path, int pid) = 0;
  // Processes in the group and below.
  virtual std::vector<int> processes(const std::string& path) const = 0;
  // Errors: not_found.
  virtual base::Result<CgroupUsage> usage(const std::string& path) const = 0;
  // The file whose "oom_kill N" line counts processes killed for memory; empty without one.
  virtual std::string oom_file(const std::string& path) const = 0;
};

// For the hierarchies mounted below /sys/fs/cgroup.
std::unique_ptr<Cgroups> make_cgroups();
std::unique_ptr<Cgroups> make_cgroups_v2(std::string mount_point);
// Controller name and where its hierarchy is mounted.
std::unique_ptr<Cgroups> make_cgroups_v1(
    std::vector<std::pair<std::string, std::string>> controllers);
std::unique_ptr<Cgroups> make_null_cgroups();

// Kills every process in the group and waits for them to go, for `timeout_ms` at most.
base::Status kill_cgroup(Cgroups& cgroups, const std::string& path, int timeout_ms);

// v1 shares (2..262144) to a v2 weight (1..10000), as runc does.
std::uint64_t cpu_weight_of_shares(std::uint64_t shares);

}  // namespace skiff::sys
