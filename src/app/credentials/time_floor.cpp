#include "app/credentials/time_floor.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/time_floor.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/limits.h"

#include <algorithm>

namespace skiff::app {

namespace {

using base::operator""s;

std::string file_of(const std::string& data_dir) { return data_dir + "/time-floor"; }

// 2026-01-01: no version of this program is older.
constexpr base::WallTime kProgramTime{1'767'225'600'000'000'000};
constexpr base::Duration kDriftMax = 30s;

std::optional<base::WallTime> read_file_time(const std::string& data_dir) {
  auto text = read_or_empty(file_of(data_dir));
  if (!text) return std::nullopt;
  auto time = base::parse_rfc3339(base::trim(*text));
  return time ? std::optional(*time) : std::nullopt;
}

}  // namespace

bool went_evenly(base::Duration wall, base::Duration steady) {
  const auto drift = wall - steady;
  return drift < kDriftMax && drift > -kDriftMax;
}

base::WallTime read_time_floor(const std::string& data_dir) {
  base::WallTime latest = std::max(kProgramTime, read_file_time(data_dir).value_or(kProgramTime));
  for (auto file : {"ca", "server", "admin", "node", "node-serving"}) {
    auto pem = read_or_empty(base::concat(data_dir, "/pki/", file, ".crt"));
    if (!pem || pem->empty()) continue;
    auto info = pki::inspect_certificate(*pem);
    if (info) latest = std::max(latest, info->not_before);
  }
  return latest;
}

void believe_time_floor(const std::string& data_dir) {
  loop::raise_time_floor(read_time_floor(data_dir));
}

base::Result<bool> write_time_floor(const std::string& data_dir, base::WallTime now) {
  auto written = read_file_time(data_dir);
  if (written && now < *written + kTimeFloorInterval) return false;
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(file_of(data_dir), base::concat(base::format_rfc3339(now), "\n")));
  return true;
}

base::Task<void> keep_time_floor(std::string data_dir, base::Timers& timers,
                                 base::Executor& blocking, RaiseFloor raise,
                                 base::CancelToken cancel) {
  const auto& clock = timers.clock();
  for (;;) {
    const auto wall = clock.now();
    const auto steady = clock.monotonic();
    auto sleeping = base::sleep(timers, kTimeFloorLookInterval, cancel);
    bool slept = co_await std::move(sleeping);
    if (!slept) co_return;
    const auto now = clock.now();
    if (!went_evenly(now - wall, clock.monotonic() - steady)) continue;
    auto write = [data_dir, now] { return write_time_floor(data_dir, now); };
    auto writing = loop::run_blocking(blocking, std::move(write));
    auto written = co_await std::move(writing);
    if (!written) {
      base::log_warning("the time floor cannot be written", {{"error", written.status()}});
    } else if (*written) {
      raise(now);
    }
  }
}

}  // namespace skiff::app
