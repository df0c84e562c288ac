#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "sys/limits.h"

namespace skiff::sys {
namespace {

// Pushes the components of `path` so that its first one is on top.
void push_components(std::vector<std::string>& pending, std::string_view path) {
  auto parts = base::split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    if (!part->empty() && *part != ".") pending.emplace_back(*part);
}

base::Result<std::string> read_link_at(int folder_fd, const char* name) {
  std::string target(PATH_MAX, '\0');
  ssize_t n = readlinkat(folder_fd, name, target.data(), target.size());
  if (n < 0) return base::errno_status(errno, "read link");
  target.resize(static_cast<std::size_t>(n));
  return target;
}

bool is_link(int folder_fd, const char* name) {
  struct stat info {};
  return fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

}  // namespace

// Walked by hand, component by component, because openat2 needs Linux 5.6.
base::Result<base::UniqueFd> open_in_root(int root_fd, std::string_view path, int flags) {
  std::vector<std::string> pending;
  push_components(pending, path);
  std::vector<base::UniqueFd> folders;  // from the root down to where we are
  auto current = [&] { return folders.empty() ? root_fd : folders.back().get(); };
  int links = 0;
  while (!pending.empty()) {
    std::string name = std::move(pending.back());
    pending.pop_back();
    if (name == "..") {
      if (!folders.empty()) folders.pop_back();
      continue;
    }
    bool last = pending.empty();
    if (is_link(current(), name.c_str()) && !(last && (flags & O_NOFOLLOW))) {
      if (++links > kSymlinksMax) return base::errno_status(ELOOP, path);
      SKIFF_ASSIGN_OR_RETURN(auto target, read_link_at(current(), name.c_str()));
      if (!target.empty() && target[0] == '/') folders.clear();
      push_components(pending, target);
      continue;
    }
    int step =
        last ? flags | O_NOFOLLOW | O_CLOEXEC : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    base::UniqueFd next(openat(current(), name.c_str(), step));
    if (!next) return base::errno_status(errno, path);
    if (last) return next;
    folders.push_back(std::move(next));
  }
  // The path named a folder by "..", or the root itself.
  base::UniqueFd fd(openat(current(), ".", (flags & ~O_NOFOLLOW) | O_CLOEXEC));
  if (!fd) return base::errno_status(errno, path);
  return fd;
}

}  // namespace skiff::sys
