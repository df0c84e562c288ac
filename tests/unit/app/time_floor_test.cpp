#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>

#include <catch2/catch.hpp>

#include "app/bootstrap.h"
#include "app/credentials/key_files.h"
#include "app/credentials/time_floor.h"

#include <filesystem>

using namespace skiff;
using namespace skiff::app;
using namespace std::chrono_literals;

TEST_CASE("the time floor is the latest of file and certificates, and written once a day") {
  const std::string folder = "/tmp/skiff-time-floor-test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto now = base::WallTime::from_unix_seconds(1'800'000'000);
  CHECK_FALSE(read_time_floor(folder).has_value());
  CHECK(*write_time_floor(folder, now));
  CHECK_FALSE(*write_time_floor(folder, now + 23h));
  CHECK(*read_time_floor(folder) == now);
  CHECK(*write_time_floor(folder, now + 24h));
  CHECK(*read_time_floor(folder) == now + 24h);
  // A clock that is behind takes nothing back.
  CHECK_FALSE(*write_time_floor(folder, base::WallTime{}));
  CHECK(*read_time_floor(folder) == now + 24h);

  Config config;
  config.data_dir = folder;
  REQUIRE(ensure_cluster_keys(config, {"n1", "10.0.0.1"}, now + 24h * 30));
  CHECK(*read_time_floor(folder) == now + 24h * 29);
  REQUIRE(sys::write_file_atomic(folder + "/time-floor", "rubbish").is_ok());
  CHECK(*read_time_floor(folder) == now + 24h * 29);
  CHECK(*write_time_floor(folder, now + 24h * 31));
  CHECK(*read_time_floor(folder) == now + 24h * 31);
  std::filesystem::remove_all(folder);
}
