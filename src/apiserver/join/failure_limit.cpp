#include "apiserver/join/failure_limit.h"

#include <algorithm>
#include <cmath>

#include "apiserver/limits.h"

namespace skiff::apiserver {

void FailureLimit::drain(Bucket& bucket, base::MonotonicTime now, base::Duration interval) {
  const auto passed = now - bucket.as_of;
  bucket.level -= static_cast<double>(passed.count()) / static_cast<double>(interval.count());
  bucket.level = std::max(bucket.level, 0.0);
  bucket.as_of = now;
}

std::int64_t FailureLimit::wait_of(const Bucket& bucket, double size, base::Duration interval) {
  const double over = bucket.level + 1 - size;
  if (over <= 0) return 0;
  const double interval_seconds = std::chrono::duration<double>(interval).count();
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(over * interval_seconds)));
}

std::int64_t FailureLimit::seconds_to_wait(std::string_view source) {
  const auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  drain(all_, now, kJoinFailuresAllInterval);
  auto wait = wait_of(all_, kJoinFailuresAllMax, kJoinFailuresAllInterval);
  auto found = sources_.find(std::string(source));
  if (found == sources_.end()) return wait;
  drain(found->second, now, kJoinFailuresSourceInterval);
  return std::max(wait,
                  wait_of(found->second, kJoinFailuresSourceMax, kJoinFailuresSourceInterval));
}

void FailureLimit::note_failure(std::string_view source) {
  const auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  drain(all_, now, kJoinFailuresAllInterval);
  all_.level = std::min<double>(all_.level + 1, kJoinFailuresAllMax);
  auto found = sources_.find(std::string(source));
  if (found == sources_.end()) {
    make_room(now);
    found = sources_.emplace(std::string(source), Bucket{0, now}).first;
  }
  drain(found->second, now, kJoinFailuresSourceInterval);
  found->second.level = std::min<double>(found->second.level + 1, kJoinFailuresSourceMax);
}

std::size_t FailureLimit::sources() const {
  std::lock_guard lock(mutex_);
  return sources_.size();
}

// Drops who has waited long enough; when nobody has, who has the least to wait: a flood of sources
// does not set free those that fail most.
void FailureLimit::make_room(base::MonotonicTime now) {
  if (sources_.size() < kJoinFailureSourcesMax) return;
  auto least = sources_.end();
  for (auto it = sources_.begin(); it != sources_.end();) {
    drain(it->second, now, kJoinFailuresSourceInterval);
    if (it->second.level <= 0) {
      it = sources_.erase(it);
      continue;
    }
    if (least == sources_.end() || it->second.level < least->second.level) least = it;
    ++it;
  }
  if (sources_.size() >= kJoinFailureSourcesMax && least != sources_.end()) sources_.erase(least);
}

std::string_view source_of(std::string_view peer_address) {
  auto colon = peer_address.rfind(':');
  if (colon == peer_address.npos) return peer_address;
  // Without brackets, more than one colon is an IPv6 address without a port.
  if (peer_address.front() != '[' && peer_address.find(':') != colon) return peer_address;
  return peer_address.substr(0, colon);
}

}  // namespace skiff::apiserver
