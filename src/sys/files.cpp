#include <skiff/sys/files.h>

#include <skiff/base/strings.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <dirent.h>
#include <algorithm>
#include <atomic>
#include <cerrno>

#include "sys/limits.h"

namespace skiff::sys {
namespace {

using base::concat;
using base::errno_status;

std::string folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct FolderStream {
  explicit FolderStream(DIR* d) : dir(d) {}
  ~FolderStream() {
    if (dir != nullptr) closedir(dir);
  }
  FolderStream(const FolderStream&) = delete;
  FolderStream& operator=(const FolderStream&) = delete;
  DIR* dir;
};

base::Result<std::vector<std::string>> names_in(int folder_fd) {
  // A description of its own: reading must not move the caller's.
  int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_status(errno, "open folder");
  FolderStream stream(fdopendir(fd));
  if (stream.dir == nullptr) {
    int error = errno;
    close(fd);
    return errno_status(error, "read folder");
  }
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = readdir(stream.dir)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return errno_status(errno, "read folder");
  std::sort(names.begin(), names.end());
  return names;
}

// What lies deeper is moved up to the root of the tree, so that neither stack nor descriptors grow
// with a depth that somebody else chose.
base::Status remove_at(int root_fd, int folder_fd, const char* name, dev_t device, int depth) {
  static std::atomic<unsigned> counter{0};
  if (unlinkat(folder_fd, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return errno_status(errno, concat("remove ", name));
  if (unlinkat(folder_fd, name, AT_REMOVEDIR) == 0) return {};
  if (depth > kTreeDepthMax) {
    std::string moved = concat(".removed.", getpid(), ".", counter.fetch_add(1));
    if (renameat(folder_fd, name, root_fd, moved.c_str()) != 0)
      return errno_status(errno, concat("move ", name));
    return {};
  }
  {
    base::UniqueFd child(openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child)
      return errno == ENOENT ? base::Status() : errno_status(errno, concat("open ", name));
    struct stat info {};
    if (fstat(child.get(), &info) != 0) return errno_status(errno, concat("stat ", name));
    if (info.st_dev != device)
      return base::unavailable(concat("remove ", name, ": something is mounted there"));
    SKIFF_ASSIGN_OR_RETURN(auto names, names_in(child.get()));
    for (const auto& entry : names)
      SKIFF_RETURN_IF_ERROR(remove_at(root_fd, child.get(), entry.c_str(), device, depth + 1));
  }
  if (unlinkat(folder_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return errno_status(errno, concat("remove ", name));
  return {};
}

base::Status empty_folder(int root_fd, dev_t device) {
  for (;;) {
    SKIFF_ASSIGN_OR_RETURN(auto names, names_in(root_fd));
    if (names.empty()) return {};
    for (const auto& name : names)
      SKIFF_RETURN_IF_ERROR(remove_at(root_fd, root_fd, name.c_str(), device, 1));
  }
}

std::int64_t bytes_at(int folder_fd, const char* name, int depth) {
  struct stat info {};
  if (fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  std::int64_t total = static_cast<std::int64_t>(info.st_blocks) * 512;
  if (!S_ISDIR(info.st_mode) || depth > kTreeDepthMax) return total;
  base::UniqueFd child(openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child) return total;
  auto names = names_in(child.get());
  if (!names.is_ok()) return total;
  for (const auto& entry : *names) total += bytes_at(child.get(), entry.c_str(), depth + 1);
  return total;
}

}  // namespace

base::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_status(errno, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

base::Status write_file_atomic(const std::string& path, std::string_view bytes, unsigned mode,
                               Sync sync) {
  static std::atomic<unsigned> counter{0};
  std::string temporary = concat(path, ".", getpid(), ".", counter.fetch_add(1), ".tmp");
  base::UniqueFd fd(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return errno_status(errno, concat("create ", temporary));
  auto status = write_all(fd.get(), bytes).with_context(temporary);
  if (status.is_ok() && fchmod(fd.get(), mode) != 0) status = errno_status(errno, temporary);
  if (status.is_ok() && sync == Sync::yes && fsync(fd.get()) != 0)
    status = errno_status(errno, concat("sync ", temporary));
  if (status.is_ok() && rename(temporary.c_str(), path.c_str()) != 0)
    status = errno_status(errno, concat("rename to ", path));
  if (!status.is_ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return sync == Sync::yes ? sync_folder(folder_of(path)) : base::Status();
}

base::Result<std::string> read_descriptor(int fd, std::size_t bytes_max) {
  std::string out;
  struct stat info {};
  std::size_t step = 4096;
  if (fstat(fd, &info) == 0 && info.st_size > 0)
    step = std::min<std::size_t>(static_cast<std::size_t>(info.st_size) + 1, bytes_max + 1);
  for (;;) {
    std::size_t have = out.size();
    out.resize(have + step);
    ssize_t n = read(fd, out.data() + have, step);
    out.resize(have + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status(errno, "read");
    if (n == 0) return out;
    if (out.size() > bytes_max)
      return base::Status(base::Code::too_large, concat("file is over ", bytes_max, " bytes"));
  }
}

base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_status(errno, concat("open ", path));
  return read_descriptor(fd.get(), bytes_max).with_context(path);
}

base::Status write_control_file(const std::string& path, std::string_view text) {
  base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno_status(errno, concat("open ", path));
  if (write(fd.get(), text.data(), text.size()) < 0)
    return errno_status(errno, concat("write ", text, " to ", path));
  return {};
}

base::Status make_folders(const std::string& path, unsigned mode) {
  // From the end up to what is there: most often only the last is missing, or none.
  std::size_t made = path.size();
  while (mkdir(path.substr(0, made).c_str(), mode) != 0 && errno != EEXIST) {
    const int error = errno;
    const std::size_t name_end = path.find_last_not_of('/', made - 1);
    const std::size_t slash = name_end == std::string::npos ? name_end : path.rfind('/', name_end);
    if (error != ENOENT || slash == std::string::npos || slash == 0)
      return errno_status(error, concat("make folder ", path.substr(0, made)));
    made = slash;
  }
  while (made < path.size()) {
    made = std::min(path.find('/', made + 1), path.size());
    if (mkdir(path.substr(0, made).c_str(), mode) != 0 && errno != EEXIST)
      return errno_status(errno, concat("make folder ", path.substr(0, made)));
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return errno_status(errno, path);
  return S_ISDIR(info.st_mode) ? base::Status() : errno_status(ENOTDIR, path);
}

base::Result<std::vector<std::string>> list_folder(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_status(errno, concat("open ", path));
  return names_in(fd.get());
}

base::Status remove_tree(const std::string& path) {
  std::string folder = folder_of(path);
  base::UniqueFd parent(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return errno == ENOENT ? base::Status() : errno_status(errno, folder);
  struct stat info {};
  if (fstat(parent.get(), &info) != 0) return errno_status(errno, folder);
  std::size_t slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..")
    return base::invalid_argument(concat("remove ", base::quote(path), ": no name"));
  if (unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return errno_status(errno, concat("remove ", path));
  base::UniqueFd root(
      openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  dev_t device = info.st_dev;
  if (!root || fstat(root.get(), &info) != 0) return errno_status(errno, path);
  if (info.st_dev != device)
    return base::unavailable(concat("remove ", path, ": something is mounted there"));
  SKIFF_RETURN_IF_ERROR(empty_folder(root.get(), device).with_context(path));
  root.reset();
  if (unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return errno_status(errno, concat("remove ", path));
  return {};
}

base::Status sync_folder(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_status(errno, concat("open ", path));
  if (fsync(fd.get()) != 0) return errno_status(errno, concat("sync ", path));
  return {};
}

base::Status sync_file_system(int fd) {
  if (syncfs(fd) != 0) return errno_status(errno, "sync file system");
  return {};
}

bool path_exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

bool may_run_programs(const std::string& path) {
  struct statvfs facts;
  return statvfs(path.c_str(), &facts) == 0 && (facts.f_flag & ST_NOEXEC) == 0;
}

std::int64_t tree_bytes(const std::string& path) { return bytes_at(AT_FDCWD, path.c_str(), 0); }

base::Result<base::UniqueFd> lock_file(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno_status(errno, concat("open ", path));
  while (flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return errno_status(errno, concat("lock ", path));
  return fd;
}

}  // namespace skiff::sys
