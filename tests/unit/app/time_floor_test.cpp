#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>

#include <catch2/catch.hpp>

#include "app/bootstrap.h"
#include "app/credentials/key_files.h"
#include "app/credentials/time_floor.h"

#include "support/sim_loop.h"

#include <filesystem>

using namespace skiff;
using namespace skiff::app;
using namespace std::chrono_literals;

TEST_CASE("the time floor is the latest of file and certificates, and written once a day") {
  const std::string folder = "/tmp/skiff-time-floor-test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto now = base::WallTime::from_unix_seconds(1'800'000'000);
  // Nothing is known but when this program was made.
  const auto program = read_time_floor(folder);
  CHECK(program > base::WallTime::from_unix_seconds(1'700'000'000));
  CHECK(program < now);
  CHECK(*write_time_floor(folder, now));
  CHECK_FALSE(*write_time_floor(folder, now + 23h));
  CHECK(read_time_floor(folder) == now);
  CHECK(*write_time_floor(folder, now + 24h));
  CHECK(read_time_floor(folder) == now + 24h);
  // A clock that is behind takes nothing back.
  CHECK_FALSE(*write_time_floor(folder, base::WallTime{}));
  CHECK(read_time_floor(folder) == now + 24h);

  Config config;
  config.data_dir = folder;
  REQUIRE(ensure_cluster_keys(config, {"n1", "10.0.0.1"}, now + 24h * 30));
  CHECK(read_time_floor(folder) == now + 24h * 29);
  REQUIRE(sys::write_file_atomic(folder + "/time-floor", "rubbish").is_ok());
  CHECK(read_time_floor(folder) == now + 24h * 29);
  CHECK(*write_time_floor(folder, now + 24h * 31));
  CHECK(read_time_floor(folder) == now + 24h * 31);
  std::filesystem::remove_all(folder);
}

namespace {
base::WallTime raised;
}

TEST_CASE("a clock that is far ahead for a moment leaves no time floor behind") {
  const std::string folder = "/tmp/skiff-time-floor-jump-test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  test::SimLoop loop(base::WallTime::from_unix_seconds(1'800'000'000));
  const auto nothing = read_time_floor(folder);
  base::TaskScope scope(loop);
  raised = {};
  scope.spawn(keep_time_floor(
      folder, loop, loop, [](base::WallTime time) { raised = time; }, scope.token()));
  loop.run_ready();
  constexpr base::Duration kTenYears = 24h * 3650;
  loop.jump_wall_clock(kTenYears);
  loop.advance(31min);
  CHECK(read_time_floor(folder) == nothing);
  loop.jump_wall_clock(-kTenYears);
  loop.advance(30min);
  CHECK(read_time_floor(folder) == nothing);
  loop.advance(31min);
  CHECK(read_time_floor(folder) <= loop.now());
  CHECK(loop.now() - read_time_floor(folder) < 31min);
  CHECK(raised == read_time_floor(folder));
  const auto known = raised;
  // Back to 1970, as after a reset: what was known stays.
  loop.jump_wall_clock(-24h * 365 * 50);
  loop.advance(2h);
  CHECK(read_time_floor(folder) == known);
  CHECK(raised == known);
  scope.cancel();
  loop.run(scope.join());
  std::filesystem::remove_all(folder);
}
