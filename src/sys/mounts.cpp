#include <skiff/sys/mounts.h>

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "sys/limits.h"

namespace skiff::sys {
namespace {

using base::concat;

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto digit = [&](std::size_t k) {
      return i + k < text.size() && text[i + k] >= '0' && text[i + k] <= '7';
    };
    if (text[i] == '\\' && digit(1) && digit(2) && digit(3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct FlagWord {
  const char* word;
  unsigned long set, clear;
};
constexpr FlagWord kFlagWords[] = {
    {"ro", MS_RDONLY, 0},           {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},       {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},         {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},       {"exec", 0, MS_NOEXEC},
    {"noatime", MS_NOATIME, 0},     {"nodiratime", MS_NODIRATIME, 0},
    {"relatime", MS_RELATIME, 0},   {"strictatime", MS_STRICTATIME, 0},
    {"sync", MS_SYNCHRONOUS, 0},    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0}, {"remount", MS_REMOUNT, 0},
};
constexpr FlagWord kPropagationWords[] = {
    {"private", MS_PRIVATE, 0}, {"rprivate", MS_PRIVATE | MS_REC, 0},
    {"slave", MS_SLAVE, 0},     {"rslave", MS_SLAVE | MS_REC, 0},
    {"shared", MS_SHARED, 0},   {"rshared", MS_SHARED | MS_REC, 0},
};

struct ParsedOptions {
  unsigned long flags = 0, propagation = 0;
  std::string data;
};

ParsedOptions parse_options(const std::vector<std::string>& options) {
  ParsedOptions parsed;
  for (const auto& option : options) {
    auto named = [&](const FlagWord& f) { return option == f.word; };
    if (auto f = std::find_if(std::begin(kFlagWords), std::end(kFlagWords), named);
        f != std::end(kFlagWords)) {
      parsed.flags = (parsed.flags | f->set) & ~f->clear;
    } else if (auto p =
                   std::find_if(std::begin(kPropagationWords), std::end(kPropagationWords), named);
               p != std::end(kPropagationWords)) {
      parsed.propagation = p->set;
    } else {
      if (!parsed.data.empty()) parsed.data += ',';
      parsed.data += option;
    }
  }
  return parsed;
}

bool is_below(const std::string& path, const std::string& root) {
  return path == root || (base::starts_with(path, root) &&
                          (base::ends_with(root, "/") || path[root.size()] == '/'));
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> entries;
  for (auto line : base::split(text, '\n')) {
    auto fields = base::split(line, ' ');
    auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 9 || fields.end() - dash < 4 || dash - fields.begin() < 6) continue;
    entries.push_back(
        {unescape(fields[4]), std::string(dash[1]), unescape(dash[2]), std::string(dash[3])});
  }
  return entries;
}

base::Result<std::vector<MountEntry>> list_mounts() {
  SKIFF_ASSIGN_OR_RETURN(auto text, read_file("/proc/self/mountinfo", kMountInfoBytesMax));
  return parse_mountinfo(text);
}

base::Status mount(const std::string& source, const std::string& target, const std::string& type,
                   const std::vector<std::string>& options) {
  auto parsed = parse_options(options);
  std::string what = concat("mount ", source.empty() ? type : source, " at ", target);
  if (parsed.data.size() > kMountOptionBytesMax)
    return base::Status(base::Code::too_large, concat(what, ": options are too long"));
  if (::mount(source.c_str(), target.c_str(), type.c_str(), parsed.flags, parsed.data.c_str()) != 0)
    return base::errno_status(errno, what);
  // A bind mount takes its flags only when it is mounted again.
  unsigned long again = parsed.flags & ~static_cast<unsigned long>(MS_BIND | MS_REC);
  if ((parsed.flags & MS_BIND) && again != 0 && !(parsed.flags & MS_REMOUNT) &&
      ::mount(nullptr, target.c_str(), nullptr, again | MS_BIND | MS_REMOUNT, nullptr) != 0) {
    int error = errno;
    umount2(target.c_str(), MNT_DETACH);
    return base::errno_status(error, what);
  }
  if (parsed.propagation != 0 &&
      ::mount(nullptr, target.c_str(), nullptr, parsed.propagation, nullptr) != 0)
    return base::errno_status(errno, concat(what, ": propagation"));
  return {};
}

base::Status unmount(const std::string& target) {
  if (umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL ||
      errno == ENOENT)
    return {};
  return base::errno_status(errno, concat("unmount ", target));
}

base::Status unmount_tree(const std::string& path) {
  SKIFF_ASSIGN_OR_RETURN(auto mounts, list_mounts());
  // Later mounts cover earlier ones.
  for (auto entry = mounts.rbegin(); entry != mounts.rend(); ++entry)
    if (is_below(entry->mount_point, path)) SKIFF_RETURN_IF_ERROR(unmount(entry->mount_point));
  return {};
}

base::Status mount_overlay(const std::string& base_dir, const std::vector<std::string>& lower_dirs,
                           const std::string& upper_dir, const std::string& work_dir,
                           const std::string& target) {
  std::vector<std::string> options = {
      concat("lowerdir=", base::join(lower_dirs, ":")),
      concat("upperdir=", upper_dir),
      concat("workdir=", work_dir),
  };
  base::Status status;
  // A thread with a working directory of its own, for the relative paths.
  std::thread([&] {
    if (unshare(CLONE_FS) != 0 || chdir(base_dir.c_str()) != 0)
      status = base::errno_status(errno, concat("enter ", base_dir));
    else
      status = mount("overlay", target, "overlay", options);
  }).join();
  return status;
}

}  // namespace skiff::sys
