#include "client/backoff.h"

#include <algorithm>
#include <cstdint>

namespace skiff::client {

base::Duration Backoff::next(base::Duration longest) {
  const base::Duration step = std::min(next_, longest);
  next_ = std::min(max_, step * 2);
  double factor = 0.8 + 0.4 * random_.unit();
  return base::Duration(static_cast<std::int64_t>(static_cast<double>(step.count()) * factor));
}

}  // namespace skiff::client
