#include <skiff/base/strings.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/files.h>

#include <algorithm>

#include "sys/cgroups_private.h"
#include "sys/limits.h"

namespace skiff::sys {
namespace {

using base::concat;

class CgroupsV2 final : public Cgroups {
 public:
  explicit CgroupsV2(std::string mount) : mount_(std::move(mount)) {
    auto text = read_file(concat(mount_, "/cgroup.controllers"), kProcFileBytesMax);
    if (!text.is_ok()) return;
    for (auto word : base::split(base::trim(*text), ' '))
      if (!word.empty()) controllers_.emplace_back(word);
  }

  CgroupMode mode() const override { return CgroupMode::v2; }
  bool has_controller(std::string_view name) const override {
    return std::find(controllers_.begin(), controllers_.end(), name) != controllers_.end();
  }

  base::Status create(const std::string& path) override {
    std::string folder = mount_;
    for (auto part : base::split(path, '/')) {
      if (part.empty()) continue;
      enable_controllers(folder);
      folder = concat(folder, "/", part);
      SKIFF_RETURN_IF_ERROR(make_folders(folder));
    }
    return {};
  }

  base::Status remove(const std::string& path) override {
    return remove_group(concat(mount_, "/", path));
  }

  base::Status set_limits(const std::string& path, const CgroupLimits& limits) override {
    if (limits.cpu_shares != 0)
      SKIFF_RETURN_IF_ERROR(
          set("cpu", path, "cpu.weight", std::to_string(cpu_weight_of_shares(limits.cpu_shares))));
    if (limits.cpu_quota_us != 0 || limits.cpu_period_us != 0) {
      std::string quota = limits.cpu_quota_us > 0 ? std::to_string(limits.cpu_quota_us) : "max";
      std::int64_t period = limits.cpu_period_us > 0 ? limits.cpu_period_us : 100'000;
      SKIFF_RETURN_IF_ERROR(set("cpu", path, "cpu.max", concat(quota, " ", period)));
    }
    if (limits.memory_limit_bytes != 0)
      SKIFF_RETURN_IF_ERROR(set("memory", path, "memory.max", number(limits.memory_limit_bytes)));
    if (limits.pids_limit != 0)
      SKIFF_RETURN_IF_ERROR(set("pids", path, "pids.max", number(limits.pids_limit)));
    return {};
  }

  base::Status add_process(const std::string& path, int pid) override {
    return write_control_file(concat(mount_, "/", path, "/cgroup.procs"), std::to_string(pid));
  }

  std::vector<int> processes(const std::string& path) const override {
    std::vector<int> pids;
    append_processes(concat(mount_, "/", path), pids);
    return pids;
  }

  base::Result<CgroupUsage> usage(const std::string& path) const override {
    std::string folder = concat(mount_, "/", path);
    if (!path_exists(folder)) return base::not_found(concat("cgroup ", path, " does not exist"));
    CgroupUsage usage;
    usage.cpu_ns = static_cast<std::uint64_t>(
                       read_keyed(concat(folder, "/cpu.stat"), "usage_usec").value_or(0)) *
                   1000;
    usage.memory_bytes = read_number(concat(folder, "/memory.current")).value_or(0);
    auto inactive = read_keyed(concat(folder, "/memory.stat"), "inactive_file").value_or(0);
    usage.memory_working_set_bytes = std::max<std::int64_t>(0, usage.memory_bytes - inactive);
    usage.pids = read_number(concat(folder, "/pids.current")).value_or(0);
    usage.oom_kills = static_cast<std::uint64_t>(
        read_keyed(concat(folder, "/memory.events"), "oom_kill").value_or(0));
    return usage;
  }

  std::string oom_file(const std::string& path) const override {
    return has_controller("memory") ? concat(mount_, "/", path, "/memory.events") : "";
  }

 private:
  static std::string number(std::int64_t value) {
    return value < 0 ? "max" : std::to_string(value);
  }

  base::Status set(std::string_view controller, const std::string& path, std::string_view file,
                   std::string_view value) {
    if (!has_controller(controller)) return {};
    return write_control_file(concat(mount_, "/", path, "/", file), value);
  }

  // One by one: a controller that cannot be delegated must not keep the others out.
  void enable_controllers(const std::string& folder) const {
    for (auto name : {"cpu", "cpuset", "memory", "pids", "io"})
      if (has_controller(name))
        (void)write_control_file(concat(folder, "/cgroup.subtree_control"), concat("+", name));
  }

  std::string mount_;
  std::vector<std::string> controllers_;
};

}  // namespace

std::unique_ptr<Cgroups> make_cgroups_v2(std::string mount_point) {
  return std::make_unique<CgroupsV2>(std::move(mount_point));
}

}  // namespace skiff::sys
