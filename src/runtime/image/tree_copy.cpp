#include "runtime/image/tree_copy.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>

#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::errno_status;

std::string path_of(int fd) { return concat("/proc/self/fd/", fd); }

bool is_opaque(int folder_fd) {
  char value = 0;
  return fgetxattr(folder_fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

base::Status remove_entry(int folder_fd, const std::string& name) {
  return sys::remove_tree(concat(path_of(folder_fd), "/", name));
}

base::Status copy_bytes(int from, int to, off_t size) {
  while (size > 0) {
    ssize_t n =
        sendfile(to, from, nullptr, static_cast<std::size_t>(std::min<off_t>(size, 1 << 20)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status(errno, "copy");
    if (n == 0) break;
    size -= n;
  }
  return {};
}

void copy_attributes(int from, int to) {
  char value[1024];
  for (auto name : {"security.capability"}) {
    ssize_t n = fgetxattr(from, name, value, sizeof value);
    if (n > 0) fsetxattr(to, name, value, static_cast<std::size_t>(n), 0);
  }
}

base::Status apply(int folder_fd, const char* name, const struct stat& info) {
  if (fchownat(folder_fd, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return errno_status(errno, "set owner");
  if (!S_ISLNK(info.st_mode) && fchmodat(folder_fd, name, info.st_mode & 07777, 0) != 0)
    return errno_status(errno, "set mode");
  timespec times[2] = {info.st_atim, info.st_mtim};
  utimensat(folder_fd, name, times, AT_SYMLINK_NOFOLLOW);
  return {};
}

base::Status copy_file(int from_fd, int to_fd, const char* name, const struct stat& info) {
  base::UniqueFd from(openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  base::UniqueFd to(
      openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!from || !to) return errno_status(errno, name);
  SKIFF_RETURN_IF_ERROR(copy_bytes(from.get(), to.get(), info.st_size));
  SKIFF_RETURN_IF_ERROR(apply(to_fd, name, info));
  copy_attributes(from.get(), to.get());  // after chown, which clears capabilities
  return {};
}

base::Status copy_link(int from_fd, int to_fd, const char* name, const struct stat& info) {
  char target[PATH_MAX];
  ssize_t n = readlinkat(from_fd, name, target, sizeof target - 1);
  if (n < 0) return errno_status(errno, name);
  target[n] = '\0';
  if (symlinkat(target, to_fd, name) != 0) return errno_status(errno, name);
  return apply(to_fd, name, info);
}

base::Status copy_folder(int from_fd, int to_fd, int depth);

base::Status copy_entry(int from_fd, int to_fd, const std::string& name, int depth) {
  struct stat info {};
  if (fstatat(from_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno_status(errno, name);
  if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return remove_entry(to_fd, name);
  struct stat there {};
  bool exists = fstatat(to_fd, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (S_ISDIR(info.st_mode)) {
    base::UniqueFd from(
        openat(from_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!from) return errno_status(errno, name);
    if (exists && (!S_ISDIR(there.st_mode) || is_opaque(from.get())))
      SKIFF_RETURN_IF_ERROR(remove_entry(to_fd, name));
    if (mkdirat(to_fd, name.c_str(), 0700) != 0 && errno != EEXIST)
      return errno_status(errno, name);
    base::UniqueFd to(openat(to_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!to) return errno_status(errno, name);
    SKIFF_RETURN_IF_ERROR(copy_folder(from.get(), to.get(), depth + 1));
    return apply(to_fd, name.c_str(), info);
  }
  if (exists) SKIFF_RETURN_IF_ERROR(remove_entry(to_fd, name));
  if (S_ISREG(info.st_mode)) return copy_file(from_fd, to_fd, name.c_str(), info);
  if (S_ISLNK(info.st_mode)) return copy_link(from_fd, to_fd, name.c_str(), info);
  if (mknodat(to_fd, name.c_str(), info.st_mode, info.st_rdev) != 0)
    return errno_status(errno, name);
  return apply(to_fd, name.c_str(), info);
}

base::Status copy_folder(int from_fd, int to_fd, int depth) {
  if (depth > kTreeDepthMax) return base::Status(base::Code::too_large, "folders are too deep");
  SKIFF_ASSIGN_OR_RETURN(auto names, sys::list_folder(path_of(from_fd)));
  for (const auto& name : names) SKIFF_RETURN_IF_ERROR(copy_entry(from_fd, to_fd, name, depth));
  return {};
}

}  // namespace

base::Status copy_layer_over(int from_fd, int to_fd) {
  struct stat info {};
  if (fstat(from_fd, &info) != 0) return errno_status(errno, "layer");
  SKIFF_RETURN_IF_ERROR(copy_folder(from_fd, to_fd, 0));
  return apply(to_fd, ".", info);
}

}  // namespace skiff::runtime
