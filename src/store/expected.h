// The compare of compare-and-write, one for every engine.
#pragma once

#include <skiff/store/store.h>

namespace skiff::store {

// `current` is the revision that is there, nullopt when nothing is. Ok when the write may go on,
// else already_exists, not_found or conflict, in the words of the contract.
base::Status check_expected(const Write& write, std::optional<Revision> current);

}  // namespace skiff::store
