// Changes as differences, made by the first watcher that sends one.
#pragma once

#include <skiff/base/shared_bytes.h>
#include <skiff/watch/hub.h>

#include <deque>
#include <memory>
#include <mutex>

namespace skiff::apiserver {

struct ChangeDelta {
  base::SharedBytes steps;     // skiff/client/byte_delta.h, from `previous` to `value`
  std::uint32_t checksum = 0;  // of `value`
};

// Thread-safe.
class ChangeDeltas {
 public:
  // REQUIRES: a change that has a previous value.
  ChangeDelta get(const watch::ChangeRef& change);

 private:
  struct Made {
    std::weak_ptr<const watch::Change> change;
    ChangeDelta delta;
  };
  std::mutex mutex_;
  std::deque<Made> made_;  // under mutex_
};

}  // namespace skiff::apiserver
