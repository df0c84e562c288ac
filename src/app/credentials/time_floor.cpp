#include "app/credentials/time_floor.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/limits.h"

#include <algorithm>

namespace skiff::app {

namespace {

std::string file_of(const std::string& data_dir) { return data_dir + "/time-floor"; }

std::optional<base::WallTime> read_file_time(const std::string& data_dir) {
  auto text = read_or_empty(file_of(data_dir));
  if (!text) return std::nullopt;
  auto time = base::parse_rfc3339(base::trim(*text));
  return time ? std::optional(*time) : std::nullopt;
}

}  // namespace

std::optional<base::WallTime> read_time_floor(const std::string& data_dir) {
  std::optional<base::WallTime> latest = read_file_time(data_dir);
  for (auto file : {"ca", "server", "admin", "node", "node-serving"}) {
    auto pem = read_or_empty(base::concat(data_dir, "/pki/", file, ".crt"));
    if (!pem || pem->empty()) continue;
    auto info = pki::inspect_certificate(*pem);
    if (info && (!latest || *latest < info->not_before)) latest = info->not_before;
  }
  return latest;
}

base::Result<bool> write_time_floor(const std::string& data_dir, base::WallTime now) {
  auto written = read_file_time(data_dir);
  if (written && now < *written + kTimeFloorInterval) return false;
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(file_of(data_dir), base::concat(base::format_rfc3339(now), "\n")));
  return true;
}

base::Task<void> keep_time_floor(std::string data_dir, base::Timers& timers,
                                 base::Executor& blocking, base::CancelToken cancel) {
  for (;;) {
    auto write = [data_dir, now = timers.clock().now()] {
      return write_time_floor(data_dir, now).status();
    };
    auto writing = loop::run_blocking(blocking, std::move(write));
    auto written = co_await std::move(writing);
    if (!written) base::log_warning("the time floor cannot be written", {{"error", written}});
    // More often than it is written: a clock that was set meanwhile is not a day late.
    auto sleeping = base::sleep(timers, kTimeFloorInterval / 8, cancel);
    bool slept = co_await std::move(sleeping);
    if (!slept) co_return;
  }
}

}  // namespace skiff::app
