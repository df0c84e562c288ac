// Assertions stay on in release builds: a broken invariant ends the process with file and line
// instead of damaging data. They guard against defects of ours, never against input.
#pragma once

namespace skiff::base {

// Prints one line to stderr and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace skiff::base

#define SKIFF_ASSERT(expression)                      \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? static_cast<void>(0)                         \
       : ::skiff::base::assertion_failed(#expression, __FILE__, __LINE__))
#define SKIFF_UNREACHABLE() ::skiff::base::assertion_failed("unreachable", __FILE__, __LINE__)
