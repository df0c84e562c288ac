// What both kinds of cgroups share.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::sys {

inline constexpr std::string_view kV1Controllers[] = {
    "cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio", "name=systemd"};

std::optional<std::int64_t> read_number(const std::string& path);
// The number after `key` in a file of "key number" lines.
std::optional<std::int64_t> read_keyed(const std::string& path, std::string_view key);
std::vector<std::string> child_groups(const std::string& folder);
void append_processes(const std::string& folder, std::vector<int>& out, int depth = 0);
base::Status remove_group(const std::string& folder, int depth = 0);

}  // namespace skiff::sys
