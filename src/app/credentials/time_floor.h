// The latest time that this board has known, for boots without a clock.
//
//   <data-dir>/time-floor   a time as text; written at most once a day
//
// Certificates of this node tell a time, too: none of them began in the future.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/result.h>

#include <optional>
#include <string>

namespace skiff::app {

// The latest time that the files know; nullopt when they know none. Blocks.
std::optional<base::WallTime> read_time_floor(const std::string& data_dir);
// Writes the time when the file is a day behind or more; returns whether it did. Blocks.
base::Result<bool> write_time_floor(const std::string& data_dir, base::WallTime now);

// Keeps the file, until cancelled. `blocking` writes it.
base::Task<void> keep_time_floor(std::string data_dir, base::Timers& timers,
                                 base::Executor& blocking, base::CancelToken cancel);

}  // namespace skiff::app
