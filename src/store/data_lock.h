// One process at a time in a data folder.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <string>

namespace skiff::store {

// Makes the folder (mode 0700) when absent and locks it until the descriptor closes. The lock file
// names our process. Errors: unavailable, naming the process that holds it.
base::Result<base::UniqueFd> lock_data_folder(const std::string& folder);

}  // namespace skiff::store
