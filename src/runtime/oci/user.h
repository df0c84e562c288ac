// Who a container's process is: names of the image's USER in the image's own files. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/runtime/runtime.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

struct ResolvedUser {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> additional_gids;
};

// `passwd` and `group` are the texts of the image's files, empty where absent. Errors:
// invalid_argument for names that are not in them, and for what run_as_non_root refuses.
base::Result<ResolvedUser> resolve_user(const ContainerOptions& options,
                                        const std::string& image_user, std::string_view passwd,
                                        std::string_view group);

}  // namespace skiff::runtime
