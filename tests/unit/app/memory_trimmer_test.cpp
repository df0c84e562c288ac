#include "app/memory_trimmer.h"
#include "app/limits.h"

#include <catch2/catch.hpp>

#include "support/sim_loop.h"

using namespace skiff;
using namespace skiff::app;
using namespace std::chrono_literals;

TEST_CASE("memory is trimmed once after large answers, and nothing waits without them") {
  test::SimLoop loop;
  int trimmed = 0;
  MemoryTrimmer trimmer(loop, loop, [&] { ++trimmed; });
  CHECK(loop.idle());
  trimmer.note();
  loop.advance(kTrimDelay - 1ms);
  CHECK(trimmed == 0);
  loop.advance(1ms);
  CHECK(trimmed == 1);
  CHECK(loop.idle());
  loop.advance(1h);
  CHECK(trimmed == 1);
}

TEST_CASE("memory of an answer is trimmed though the answer ends while others are waited for") {
  test::SimLoop loop;
  int trimmed = 0;
  MemoryTrimmer trimmer(loop, loop, [&] { ++trimmed; });
  // One a second for a minute.
  for (int i = 0; i < 60; ++i) {
    trimmer.note();
    loop.advance(1s);
  }
  CHECK(trimmed == 60s / kTrimDelay);
  loop.advance(kTrimDelay);
  CHECK(trimmed == 60s / kTrimDelay + 1);
  CHECK(loop.idle());
}

TEST_CASE("a trimmer that goes leaves no timer") {
  test::SimLoop loop;
  int trimmed = 0;
  {
    MemoryTrimmer trimmer(loop, loop, [&] { ++trimmed; });
    trimmer.note();
  }
  CHECK(loop.idle());
  CHECK(trimmed == 0);
}
