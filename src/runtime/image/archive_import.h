// Images from files: docker-archive, OCI archive, OCI folder.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <vector>

#include "runtime/image/store.h"

namespace skiff::runtime {

// Imports every image for this machine; the records are saved and pinned.
base::Result<std::vector<ImageRecord>> import_images(ImageStore& store, const std::string& path);

}  // namespace skiff::runtime
