// For boards that boot in 1970.
#pragma once

#include <skiff/base/clock.h>

namespace skiff::loop {

// It is at least `time` now: until the system's clock is ahead of it, real_clock() goes on from
// there. Thread-safe; a floor never sinks.
void raise_time_floor(base::WallTime time);

}  // namespace skiff::loop
