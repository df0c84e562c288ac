#include <skiff/sys/cgroups.h>

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/cgroups_private.h"
#include "sys/limits.h"

namespace skiff::sys {
namespace {

class NullCgroups final : public Cgroups {
 public:
  CgroupMode mode() const override { return CgroupMode::none; }
  bool has_controller(std::string_view) const override { return false; }
  base::Status create(const std::string&) override { return {}; }
  base::Status remove(const std::string&) override { return {}; }
  base::Status set_limits(const std::string&, const CgroupLimits&) override { return {}; }
  base::Status add_process(const std::string&, int) override { return {}; }
  std::vector<int> processes(const std::string&) const override { return {}; }
  base::Result<CgroupUsage> usage(const std::string&) const override {
    return base::not_found("this host has no control groups");
  }
  std::string oom_file(const std::string&) const override { return ""; }
};

}  // namespace

std::unique_ptr<Cgroups> make_null_cgroups() { return std::make_unique<NullCgroups>(); }

std::unique_ptr<Cgroups> make_cgroups() {
  auto mounts = list_mounts();
  if (!mounts.is_ok()) return make_null_cgroups();
  std::vector<std::pair<std::string, std::string>> controllers;
  std::string unified;
  for (const auto& entry : *mounts) {
    if (!base::starts_with(entry.mount_point, "/sys/fs/cgroup")) continue;
    if (entry.type == "cgroup2") unified = entry.mount_point;
    if (entry.type != "cgroup") continue;
    for (auto word : base::split(entry.super_options, ','))
      for (auto known : kV1Controllers)
        if (word == known) controllers.emplace_back(std::string(word), entry.mount_point);
  }
  // Hybrid: the OCI runtime makes the group in the hierarchies without controllers too.
  if (!controllers.empty() && !unified.empty()) controllers.emplace_back("unified", unified);
  if (!controllers.empty()) return make_cgroups_v1(std::move(controllers));
  if (!unified.empty()) return make_cgroups_v2(unified);
  return make_null_cgroups();
}

base::Status kill_cgroup(Cgroups& cgroups, const std::string& path, int timeout_ms) {
  for (int waited = 0;; waited += kKillRoundMs) {
    auto pids = cgroups.processes(path);
    if (pids.empty()) return {};
    if (waited >= timeout_ms)
      return base::Status(
          base::Code::deadline_exceeded,
          base::concat("cgroup ", path, ": ", pids.size(), " processes do not end"));
    for (int pid : pids) kill(pid, SIGKILL);
    poll(nullptr, 0, kKillRoundMs);
  }
}

std::uint64_t cpu_weight_of_shares(std::uint64_t shares) {
  if (shares == 0) return 0;
  shares = std::clamp<std::uint64_t>(shares, 2, 262'144);
  return 1 + ((shares - 2) * 9999) / 262'142;
}

std::optional<std::int64_t> read_number(const std::string& path) {
  auto text = read_file(path, kProcFileBytesMax);
  return text.is_ok() ? base::parse_int(base::trim(*text)) : std::nullopt;
}

std::optional<std::int64_t> read_keyed(const std::string& path, std::string_view key) {
  auto text = read_file(path, kProcFileBytesMax);
  if (!text.is_ok()) return std::nullopt;
  for (auto line : base::split(*text, '\n')) {
    std::size_t space = line.find(' ');
    if (space != std::string_view::npos && line.substr(0, space) == key)
      return base::parse_int(base::trim(line.substr(space + 1)));
  }
  return std::nullopt;
}

std::vector<std::string> child_groups(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (dirent* entry = readdir(dir))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  closedir(dir);
  return names;
}

void append_processes(const std::string& folder, std::vector<int>& out, int depth) {
  auto text = read_file(base::concat(folder, "/cgroup.procs"), kProcFileBytesMax);
  if (!text.is_ok() || depth > kTreeDepthMax) return;
  for (auto line : base::split(*text, '\n'))
    if (auto pid = base::parse_int(line); pid && *pid > 0) out.push_back(static_cast<int>(*pid));
  for (const auto& name : child_groups(folder))
    append_processes(base::concat(folder, "/", name), out, depth + 1);
}

base::Status remove_group(const std::string& folder, int depth) {
  if (depth > kTreeDepthMax) return base::internal_error("cgroup tree is too deep");
  for (const auto& name : child_groups(folder))
    SKIFF_RETURN_IF_ERROR(remove_group(base::concat(folder, "/", name), depth + 1));
  // A group stays busy for a moment after its last process has been reaped.
  for (int round = 0;; ++round) {
    if (rmdir(folder.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY || round >= kBusyRoundsMax)
      return errno == EBUSY ? base::unavailable(base::concat("remove cgroup ", folder, ": busy"))
                            : base::errno_status(errno, base::concat("remove cgroup ", folder));
    poll(nullptr, 0, kKillRoundMs);
  }
}

}  // namespace skiff::sys
