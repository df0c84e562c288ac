// Kernel namespaces of other processes.
#pragma once

#include <skiff/base/function.h>
#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <string>
#include <string_view>

namespace skiff::sys {

// kind: "net", "ipc", "uts", "pid", "mnt", "user", "cgroup".
std::string namespace_path(int pid, std::string_view kind);
base::Result<base::UniqueFd> open_namespace(const std::string& path);
// Runs `work` on a thread of its own inside the network namespace at `path`; blocks until it is
// done. Sockets that it opens stay in that namespace.
base::Status run_in_network_namespace(const std::string& path,
                                      base::UniqueFunction<base::Status()> work);

}  // namespace skiff::sys
