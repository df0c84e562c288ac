// Counts the allocations of this thread. `main` of the test program is Catch's; operator new is
// replaced in allocations.cpp.
#pragma once

#include <cstddef>

namespace skiff::test {

std::size_t allocations();

}  // namespace skiff::test
