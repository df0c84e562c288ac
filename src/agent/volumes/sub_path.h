// subPath of a volume mount, safe against symbolic links that lead out of the volume. Blocks.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include "agent/container/plan_env.h"

#include <string>
#include <string_view>

namespace skiff::agent {

// subPathExpr with the container's variables. Errors in the kubelet's words: invalid_argument for
// variables that are unknown or empty, an absolute path, or "..".
base::Result<std::string> expand_sub_path(std::string_view expression, const EnvList& env);

// Opens `sub_path` inside `volume` (makes folders that are missing, 0750), binds what was opened
// to `target` and returns `target`. What the container's owner changes afterwards cannot lead
// elsewhere. Errors: invalid_argument.
base::Result<std::string> bind_sub_path(const std::string& volume, const std::string& sub_path,
                                        const std::string& target);

// The opening half: a descriptor (O_PATH) of the file or folder inside the volume.
base::Result<base::UniqueFd> open_sub_path(const std::string& volume, std::string_view sub_path);

}  // namespace skiff::agent
