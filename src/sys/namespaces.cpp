#include <skiff/sys/namespaces.h>

#include <skiff/base/strings.h>

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <thread>

namespace skiff::sys {

std::string namespace_path(int pid, std::string_view kind) {
  return base::concat("/proc/", pid, "/ns/", kind);
}

base::Result<base::UniqueFd> open_namespace(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::errno_status(errno, base::concat("open namespace ", path));
  return fd;
}

base::Status run_in_network_namespace(const std::string& path,
                                      base::UniqueFunction<base::Status()> work) {
  SKIFF_ASSIGN_OR_RETURN(auto fd, open_namespace(path));
  base::Status status;
  std::thread([&] {
    if (setns(fd.get(), CLONE_NEWNET) != 0)
      status = base::errno_status(errno, base::concat("enter namespace ", path));
    else
      status = work();
  }).join();
  return status;
}

}  // namespace skiff::sys
