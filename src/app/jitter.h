// Pauses of boards that wait for the same thing, and should not come together. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/random.h>

#include <cstdint>

namespace skiff::app {

// A random time between the part `least` (0 to 1) of `longest` and all of it.
inline base::Duration jittered(base::Duration longest, double least, base::Random& random) {
  const double part = least + (1 - least) * random.unit();
  return base::Duration(static_cast<std::int64_t>(static_cast<double>(longest.count()) * part));
}

}  // namespace skiff::app
