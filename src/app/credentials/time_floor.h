// The latest time that this board has known, for boots without a clock.
//
//   <data-dir>/time-floor   a time as text; written at most once a day
//
// Certificates of this node tell a time, too: none of them began in the future. Nothing happened
// before this program was made.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/result.h>

#include <optional>
#include <string>

namespace skiff::app {

// The latest time that the files know, or that of this program. Blocks.
base::WallTime read_time_floor(const std::string& data_dir);
// The clock of this process is not before that from now on. Blocks.
void believe_time_floor(const std::string& data_dir);
// Writes the time when the file is a day behind or more; returns whether it did. Blocks.
base::Result<bool> write_time_floor(const std::string& data_dir, base::WallTime now);

// Whether both clocks have gone as far: no jump lies between.
bool went_evenly(base::Duration wall, base::Duration steady);

// Of this process; loop::raise_time_floor.
using RaiseFloor = void (*)(base::WallTime time);
// Keeps the file, and the floor of this process at what is in it, until cancelled. A clock is
// believed when it has gone evenly for half an hour: one that is far ahead for a moment leaves
// nothing behind. `blocking` writes.
base::Task<void> keep_time_floor(std::string data_dir, base::Timers& timers,
                                 base::Executor& blocking, RaiseFloor raise,
                                 base::CancelToken cancel);

}  // namespace skiff::app
