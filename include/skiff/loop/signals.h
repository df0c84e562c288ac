// Process signals as callbacks on a loop.
#pragma once

#include <skiff/loop/loop.h>

#include <memory>

namespace skiff::loop {

class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};

// Calls `callback` on the loop for every delivery of `signal_number`. Loop-only or before run().
base::Result<std::unique_ptr<SignalWatch>> watch_signal(Loop& loop, int signal_number,
                                                        base::UniqueFunction<void()> callback);

}  // namespace skiff::loop
