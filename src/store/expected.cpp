#include "store/expected.h"

#include <skiff/base/strings.h>

namespace skiff::store {

base::Status check_expected(const Write& write, std::optional<Revision> current) {
  if (!current) {
    bool needs_something = write.op == Write::Op::remove || (write.expected && *write.expected > 0);
    if (needs_something) return base::not_found(base::concat("nothing is stored at ", write.key));
    return {};
  }
  if (!write.expected) return {};
  if (*write.expected == 0)
    return base::already_exists(base::concat(write.key, " exists at revision ", *current));
  if (*write.expected != *current)
    return base::conflict(
        base::concat(write.key, " is at revision ", *current, ", not at ", *write.expected));
  return {};
}

}  // namespace skiff::store
