// Every bound of this module.
#pragma once

#include <chrono>

namespace skiff::loop {

// A thread of a work pool without work ends after this, unless the pool keeps its threads.
inline constexpr std::chrono::seconds kIdleThreadLife{10};

}  // namespace skiff::loop
