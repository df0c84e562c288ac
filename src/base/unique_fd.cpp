#include <skiff/base/unique_fd.h>

#include <unistd.h>

namespace skiff::base {

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace skiff::base
