// How often somebody may be wrong: a bucket per source and one for all, in a table of fixed size.
#pragma once

#include <skiff/base/clock.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace skiff::apiserver {

// Thread-safe.
class FailureLimit {
 public:
  explicit FailureLimit(const base::Clock& clock) : clock_(clock) {}
  // 0: may try; else the seconds to wait.
  std::int64_t seconds_to_wait(std::string_view source);
  void note_failure(std::string_view source);
  std::size_t sources() const;

 private:
  // Empties by one at every interval.
  struct Bucket {
    double level = 0;
    base::MonotonicTime as_of;
  };
  static void drain(Bucket& bucket, base::MonotonicTime now, base::Duration interval);
  static std::int64_t wait_of(const Bucket& bucket, double size, base::Duration interval);
  void make_room(base::MonotonicTime now);

  const base::Clock& clock_;
  mutable std::mutex mutex_;
  Bucket all_;
  std::unordered_map<std::string, Bucket> sources_;
};

// "192.0.2.1:4711" and "[2001:db8::1]:4711" without the port.
std::string_view source_of(std::string_view peer_address);

}  // namespace skiff::apiserver
