#include <skiff/base/strings.h>
#include <skiff/sys/cgroups.h>
#include <skiff/sys/files.h>

#include <algorithm>

#include "sys/cgroups_private.h"
#include "sys/limits.h"

namespace skiff::sys {
namespace {

using base::concat;

class CgroupsV1 final : public Cgroups {
 public:
  explicit CgroupsV1(std::vector<std::pair<std::string, std::string>> controllers)
      : controllers_(std::move(controllers)) {
    for (const auto& [name, mount] : controllers_)
      if (std::find(mounts_.begin(), mounts_.end(), mount) == mounts_.end())
        mounts_.push_back(mount);
  }

  CgroupMode mode() const override { return CgroupMode::v1; }
  bool has_controller(std::string_view name) const override { return !mount_of(name).empty(); }

  base::Status create(const std::string& path) override {
    for (const auto& mount : mounts_) {
      SKIFF_RETURN_IF_ERROR(make_folders(concat(mount, "/", path)));
      if (mount == mount_of("cpuset")) SKIFF_RETURN_IF_ERROR(fill_cpuset(mount, path));
    }
    // Limits below must hold together with those above.
    if (auto memory = mount_of("memory"); !memory.empty())
      (void)write_control_file(concat(memory, "/", path, "/memory.use_hierarchy"), "1");
    return {};
  }

  base::Status remove(const std::string& path) override {
    base::Status first;
    for (const auto& mount : mounts_)
      if (auto status = remove_group(concat(mount, "/", path)); !status.is_ok() && first.is_ok())
        first = status;
    return first;
  }

  base::Status set_limits(const std::string& path, const CgroupLimits& limits) override {
    if (limits.cpu_shares != 0)
      SKIFF_RETURN_IF_ERROR(
          set("cpu", path, "cpu.shares",
              static_cast<std::int64_t>(std::clamp<std::uint64_t>(limits.cpu_shares, 2, 262'144))));
    if (limits.cpu_period_us != 0)
      SKIFF_RETURN_IF_ERROR(set("cpu", path, "cpu.cfs_period_us", limits.cpu_period_us));
    if (limits.cpu_quota_us != 0)
      SKIFF_RETURN_IF_ERROR(set("cpu", path, "cpu.cfs_quota_us", limits.cpu_quota_us));
    if (limits.memory_limit_bytes != 0)
      SKIFF_RETURN_IF_ERROR(
          set("memory", path, "memory.limit_in_bytes", limits.memory_limit_bytes));
    if (limits.pids_limit != 0)
      SKIFF_RETURN_IF_ERROR(set("pids", path, "pids.max", limits.pids_limit));
    return {};
  }

  base::Status add_process(const std::string& path, int pid) override {
    for (const auto& mount : mounts_)
      SKIFF_RETURN_IF_ERROR(
          write_control_file(concat(mount, "/", path, "/cgroup.procs"), std::to_string(pid)));
    return {};
  }

  std::vector<int> processes(const std::string& path) const override {
    std::vector<int> pids;
    for (const auto& mount : mounts_) append_processes(concat(mount, "/", path), pids);
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
  }

  base::Result<CgroupUsage> usage(const std::string& path) const override {
    bool found = std::any_of(mounts_.begin(), mounts_.end(), [&](const std::string& mount) {
      return path_exists(concat(mount, "/", path));
    });
    if (!found) return base::not_found(concat("cgroup ", path, " does not exist"));
    CgroupUsage usage;
    auto file = [&](std::string_view controller, std::string_view name) {
      return concat(mount_of(controller), "/", path, "/", name);
    };
    usage.cpu_ns =
        static_cast<std::uint64_t>(read_number(file("cpuacct", "cpuacct.usage")).value_or(0));
    usage.memory_bytes = read_number(file("memory", "memory.usage_in_bytes")).value_or(0);
    auto inactive = read_keyed(file("memory", "memory.stat"), "total_inactive_file").value_or(0);
    usage.memory_working_set_bytes = std::max<std::int64_t>(0, usage.memory_bytes - inactive);
    usage.pids = read_number(file("pids", "pids.current")).value_or(0);
    usage.oom_kills = static_cast<std::uint64_t>(
        read_keyed(file("memory", "memory.oom_control"), "oom_kill").value_or(0));
    return usage;
  }

  std::string oom_file(const std::string& path) const override {
    auto memory = mount_of("memory");
    return memory.empty() ? "" : concat(memory, "/", path, "/memory.oom_control");
  }

 private:
  std::string mount_of(std::string_view name) const {
    for (const auto& [controller, mount] : controllers_)
      if (controller == name) return mount;
    return "";
  }

  base::Status set(std::string_view controller, const std::string& path, std::string_view file,
                   std::int64_t value) {
    auto mount = mount_of(controller);
    if (mount.empty()) return {};
    return write_control_file(concat(mount, "/", path, "/", file),
                              value < 0 && controller == "pids" ? "max" : std::to_string(value));
  }

  // A new cpuset group has no cpus and no memory nodes, and takes no process until it has.
  static base::Status fill_cpuset(const std::string& mount, const std::string& path) {
    std::string from = mount, to = mount;
    for (auto part : base::split(path, '/')) {
      if (part.empty()) continue;
      to = concat(from, "/", part);
      for (auto name : {"/cpuset.cpus", "/cpuset.mems"}) {
        auto own = read_file(concat(to, name), kProcFileBytesMax);
        if (!own.is_ok()) return own.status();
        if (!base::trim(*own).empty()) continue;
        SKIFF_ASSIGN_OR_RETURN(auto above, read_file(concat(from, name), kProcFileBytesMax));
        SKIFF_RETURN_IF_ERROR(write_control_file(concat(to, name), base::trim(above)));
      }
      from = to;
    }
    return {};
  }

  std::vector<std::pair<std::string, std::string>> controllers_;
  std::vector<std::string> mounts_;
};

}  // namespace

std::unique_ptr<Cgroups> make_cgroups_v1(
    std::vector<std::pair<std::string, std::string>> controllers) {
  return std::make_unique<CgroupsV1>(std::move(controllers));
}

}  // namespace skiff::sys
