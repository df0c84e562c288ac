#include "store/gathering.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::store;
using namespace std::chrono_literals;

namespace {
constexpr base::MonotonicTime at(base::Duration time) { return {time.count()}; }
}  // namespace

TEST_CASE("the next group waits for those that a slow commit answered") {
  Gathering gathering;
  CHECK(gathering.patience(0, at(1s)) == 0ns);
  gathering.note_commit(8, 8, 10ms, at(1s));
  CHECK(gathering.patience(8, at(1s)) == 5ms);
  CHECK(gathering.patience(15, at(1s + 1ms)) == 4ms);
  CHECK_FALSE(gathering.is_complete(15));
  CHECK(gathering.is_complete(16));
  CHECK(gathering.patience(16, at(1s + 1ms)) == 0ns);
}

TEST_CASE("nobody waits for a client that is alone, long gone, or on a fast disk") {
  Gathering gathering;
  gathering.note_commit(1, 0, 10ms, at(1s));
  CHECK(gathering.patience(1, at(1s)) == 0ns);
  gathering.note_commit(16, 0, 10ms, at(1s));
  CHECK(gathering.patience(1, at(1s + 4999us)) == 1us);
  CHECK(gathering.patience(1, at(1s + 5ms)) == 0ns);
  gathering.note_commit(16, 0, 999us, at(1s));
  CHECK(gathering.patience(1, at(1s)) == 0ns);
}

TEST_CASE("a very slow disk makes nobody wait for more than a few milliseconds") {
  Gathering gathering;
  gathering.note_commit(16, 1, 10s, at(1s));
  CHECK(gathering.patience(1, at(1s)) == kGatherMax);
}
