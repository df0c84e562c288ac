#include <skiff/base/age.h>

#include <catch2/catch.hpp>

#include "support/sim_loop.h"

using namespace skiff::base;
using skiff::test::SimLoop;

TEST_CASE("ages count what has really passed, whatever the clock does") {
  SimLoop loop;
  AgeMeter ages(loop.clock());
  const WallTime before_start = loop.now() - 10min;
  const WallTime before = loop.now();
  loop.advance(1min);
  CHECK(ages.age_of(before) == 1min);
  CHECK(ages.age_of(before_start) == 11min);
  CHECK(ages.age_of(loop.now() + 5min) == -5min);

  loop.jump_wall_clock(24h * 20'000);
  CHECK(ages.age_of(before) == 1min);
  const WallTime after = loop.now();
  loop.advance(2min);
  CHECK(ages.age_of(before_start) == 13min);
  CHECK(ages.age_of(before) == 3min);
  CHECK(ages.age_of(after) == 2min);

  loop.jump_wall_clock(-24h * 100);
  loop.advance(1min);
  CHECK(ages.age_of(before) == 4min);
  // From the future, as the clock says now: as old as it is all the same.
  CHECK(ages.age_of(after) == 3min);
  CHECK(ages.age_of(after + 24h) < 0s);
}

TEST_CASE("a stamp that was made between a jump and the next look is as old as it is") {
  SimLoop loop;
  AgeMeter ages(loop.clock());
  loop.advance(1min);
  CHECK(ages.age_of(loop.now()) == 0s);
  loop.jump_wall_clock(24h * 365);
  const WallTime stamp = loop.now();
  loop.advance(1h);
  CHECK(ages.age_of(stamp) == 1h);
  loop.advance(1min);
  CHECK(ages.age_of(stamp) == 1h + 1min);
}

TEST_CASE("small corrections are no jumps") {
  SimLoop loop;
  AgeMeter ages(loop.clock());
  const WallTime stamp = loop.now();
  for (int i = 0; i < 10; ++i) {
    loop.advance(1min);
    loop.jump_wall_clock(100ms);
    CHECK(ages.age_of(stamp) >= 1min * (i + 1));
  }
}
