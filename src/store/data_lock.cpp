#include "store/data_lock.h"

#include <skiff/base/strings.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace skiff::store {

namespace {

base::Status make_folder(const std::string& folder) {
  for (std::size_t at = folder.find('/', 1);; at = folder.find('/', at + 1)) {
    std::string part = folder.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return base::errno_status(errno, base::concat("make the data folder ", part));
    if (at == std::string::npos) return {};
  }
}

std::string holder_of(int fd) {
  char text[32];
  ssize_t length = ::pread(fd, text, sizeof text, 0);
  std::string_view pid = base::trim({text, length > 0 ? static_cast<std::size_t>(length) : 0});
  if (!base::parse_int(pid)) return "another process";
  return base::concat("process ", pid);
}

}  // namespace

base::Result<base::UniqueFd> lock_data_folder(const std::string& folder) {
  SKIFF_RETURN_IF_ERROR(make_folder(folder));
  std::string path = folder + "/lock";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::errno_status(errno, base::concat("open ", path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::errno_status(errno, base::concat("lock ", path));
    return base::unavailable(
        base::concat("the data folder ", folder, " is in use by ", holder_of(fd.get())));
  }
  std::string pid = base::concat(static_cast<long>(::getpid()), "\n");
  // A full disk must not keep us from serving: the name in the file only helps people.
  if (::ftruncate(fd.get(), 0) == 0)
    static_cast<void>(::pwrite(fd.get(), pid.data(), pid.size(), 0) == 0);
  return fd;
}

}  // namespace skiff::store
