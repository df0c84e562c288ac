#include <skiff/base/assert.h>

#include <cstdio>
#include <cstdlib>

namespace skiff::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "skiff: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace skiff::base
