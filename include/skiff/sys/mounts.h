// Mounts of this mount namespace. Thread-safe.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <vector>

namespace skiff::sys {

struct MountEntry {
  std::string mount_point, type, source, super_options;
};

// Parses the text of /proc/self/mountinfo; lines that are not understood are left out.
std::vector<MountEntry> parse_mountinfo(std::string_view text);
base::Result<std::vector<MountEntry>> list_mounts();

// `options` are mount(8) words: flags ("ro", "nosuid", "bind", "rbind", "rslave", …) and data.
base::Status mount(const std::string& source, const std::string& target, const std::string& type,
                   const std::vector<std::string>& options);
// Lazy; ok when nothing is mounted there.
base::Status unmount(const std::string& target);
// Unmounts everything at and below `path`, deepest first.
base::Status unmount_tree(const std::string& path);

// A writable view of `lower_dirs` (top first) at `target`. Paths of lowers may be relative to
// `base_dir`, so that many fit in one page of options.
base::Status mount_overlay(const std::string& base_dir, const std::vector<std::string>& lower_dirs,
                           const std::string& upper_dir, const std::string& work_dir,
                           const std::string& target);

}  // namespace skiff::sys
