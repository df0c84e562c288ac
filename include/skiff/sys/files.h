// Files and folders with durability. All calls block.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::sys {

enum class Sync : unsigned char { no, yes };

// Replaces the file as a whole: a temporary file beside it, fsync, rename, fsync of the folder.
// After an error the old content is still there.
base::Status write_file_atomic(const std::string& path, std::string_view bytes,
                               unsigned mode = 0644, Sync sync = Sync::yes);
// Errors: not_found, too_large.
base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
base::Result<std::string> read_descriptor(int fd, std::size_t bytes_max);
base::Status write_all(int fd, std::string_view bytes);
// Writes into an existing file of /proc or /sys with one write call.
base::Status write_control_file(const std::string& path, std::string_view text);

// Like mkdir -p.
base::Status make_folders(const std::string& path, unsigned mode = 0755);
// Entries without "." and "..", sorted. Errors: not_found.
base::Result<std::vector<std::string>> list_folder(const std::string& path);
// Removes a file or tree; never follows a symbolic link, never crosses into another mount. Ok when
// it does not exist.
base::Status remove_tree(const std::string& path);
base::Status sync_folder(const std::string& path);
// Flushes the whole file system that holds `fd`.
base::Status sync_file_system(int fd);
bool path_exists(const std::string& path);
// The file system of `path` is not mounted noexec.
bool may_run_programs(const std::string& path);
// Bytes allocated to a tree (hard links counted once per name).
std::int64_t tree_bytes(const std::string& path);

// Opens `path` inside `root_fd` as if that were "/": symbolic links and ".." never lead out of it.
// The tree must not change meanwhile. `flags` as of openat; O_CREAT is not allowed.
base::Result<base::UniqueFd> open_in_root(int root_fd, std::string_view path, int flags);

// An exclusive advisory lock between processes; released when closed. Blocks.
base::Result<base::UniqueFd> lock_file(const std::string& path);

}  // namespace skiff::sys
