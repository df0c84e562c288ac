// Saves what can be read of a database with torn pages.
#pragma once

#include "store/sync_vfs.h"

#include <skiff/store/store.h>

#include <string>
#include <vector>

namespace skiff::store {

// Copies every readable row into a new file that takes the place of the old one, which stays beside
// it as "<path>.damaged". Names the keys that cannot be read. REQUIRES: the database is closed.
base::Status salvage_database(const std::string& path, SyncVfs& vfs,
                              std::vector<DamagedRecord>* damaged);

}  // namespace skiff::store
