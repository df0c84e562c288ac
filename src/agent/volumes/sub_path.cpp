#include "agent/volumes/sub_path.h"

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <vector>

namespace skiff::agent {

namespace {

base::Status check_sub_path(std::string_view path) {
  if (!path.empty() && path[0] == '/')
    return base::invalid_argument(
        base::concat("error SubPath `", path, "` must not be an absolute path"));
  for (auto part : base::split(path, '/'))
    if (part == "..")
      return base::invalid_argument(
          base::concat("unable to provision SubPath `", path, "`: must not contain '..'"));
  return {};
}

// Makes the missing folders of `path` one by one, never through a symbolic link. Whoever may use
// the volume may use them, whatever the umask.
base::Status make_missing(int root, std::string_view path) {
  struct stat volume {};
  if (fstat(root, &volume) != 0) return base::errno_status(errno, "the volume");
  const mode_t mode = volume.st_mode & (S_ISGID | 0777);
  std::string done;
  for (auto part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    std::string next = done.empty() ? std::string(part) : base::concat(done, "/", part);
    auto present = sys::open_in_root(root, next, O_PATH | O_CLOEXEC);
    if (!present && present.code() == base::Code::not_found) {
      auto parent =
          sys::open_in_root(root, done.empty() ? "." : done, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (!parent) return parent.status();
      std::string name(part);
      if (mkdirat(parent->get(), name.c_str(), mode) != 0 && errno != EEXIST)
        return base::errno_status(errno, next);
      auto made = sys::open_in_root(root, next, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (!made) return made.status();
      if (fchmod(made->get(), mode) != 0) return base::errno_status(errno, next);
    } else if (!present) {
      return present.status();
    }
    done = std::move(next);
  }
  return {};
}

}  // namespace

base::Result<std::string> expand_sub_path(std::string_view expression, const EnvList& env) {
  std::set<std::string> missing;
  static const std::string kEmpty;
  auto find = [&](std::string_view name) -> const std::string* {
    for (const auto& [key, value] : env)
      if (key == name && !value.empty()) return &value;
    missing.emplace(name);
    return &kEmpty;
  };
  std::string path = expand_variables(expression, find);
  if (!missing.empty())
    return base::invalid_argument(
        base::concat("missing value for ",
                     base::join(std::vector<std::string>(missing.begin(), missing.end()), ", ")));
  SKIFF_RETURN_IF_ERROR(check_sub_path(path));
  return path;
}

base::Result<base::UniqueFd> open_sub_path(const std::string& volume, std::string_view sub_path) {
  SKIFF_RETURN_IF_ERROR(check_sub_path(sub_path));
  base::UniqueFd root(open(volume.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::errno_status(errno, volume);
  SKIFF_RETURN_IF_ERROR(make_missing(root.get(), sub_path));
  return sys::open_in_root(root.get(), sub_path, O_PATH | O_CLOEXEC);
}

base::Result<std::string> bind_sub_path(const std::string& volume, const std::string& sub_path,
                                        const std::string& target) {
  SKIFF_ASSIGN_OR_RETURN(auto opened, open_sub_path(volume, sub_path));
  struct stat info {};
  if (fstat(opened.get(), &info) != 0) return base::errno_status(errno, sub_path);
  SKIFF_RETURN_IF_ERROR(sys::unmount(target));
  if (S_ISDIR(info.st_mode)) {
    SKIFF_RETURN_IF_ERROR(sys::remove_tree(target));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(target));
  } else {
    SKIFF_RETURN_IF_ERROR(sys::make_folders(target.substr(0, target.rfind('/'))));
    base::UniqueFd file(open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return base::errno_status(errno, target);
  }
  std::string source = base::concat("/proc/self/fd/", opened.get());
  SKIFF_RETURN_IF_ERROR(sys::mount(source, target, "", {"bind"}));
  return target;
}

}  // namespace skiff::agent
