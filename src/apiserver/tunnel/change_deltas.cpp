#include "apiserver/tunnel/change_deltas.h"

#include <skiff/client/byte_delta.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

ChangeDelta ChangeDeltas::get(const watch::ChangeRef& change) {
  {
    std::lock_guard lock(mutex_);
    for (const auto& made : made_)
      if (made.change.lock() == change) return made.delta;
  }
  ChangeDelta delta;
  delta.steps =
      base::SharedBytes(client::make_delta(change->previous.view(), change->value.view()));
  delta.checksum = client::delta_checksum(change->value.view());
  std::lock_guard lock(mutex_);
  made_.push_back({change, delta});
  if (made_.size() > kSharedDeltasMax) made_.pop_front();
  return delta;
}

}  // namespace skiff::apiserver
