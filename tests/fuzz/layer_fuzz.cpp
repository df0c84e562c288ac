// Layers of images: nothing may be written outside the folder, no limit may be passed. Runs as root
// in a folder of its own below /tmp, which it empties after each input.
#include <skiff/base/assert.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include "runtime/image/layer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/skiff-layer-fuzz-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { (void)sys::remove_tree(path); }
  std::string path;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string& outer = folder.path;
  std::string inner = outer + "/root";
  SKIFF_ASSERT(sys::make_folders(inner).is_ok());
  {
    base::UniqueFd archive(memfd_create("layer", MFD_CLOEXEC));
    SKIFF_ASSERT(
        sys::write_all(archive.get(), {reinterpret_cast<const char*>(data), size}).is_ok());
    lseek(archive.get(), 0, SEEK_SET);
    base::UniqueFd root(open(inner.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    runtime::UnpackOptions options;
    options.bytes_max = 1u << 20;
    options.entries_max = 100;
    auto unpacked = runtime::unpack_archive(archive.get(), root.get(), options);
    SKIFF_ASSERT(!unpacked.is_ok() || unpacked->bytes <= options.bytes_max);
  }
  SKIFF_ASSERT(sys::list_folder(outer)->size() == 1);
  SKIFF_ASSERT(sys::remove_tree(inner).is_ok());
  return 0;
}
