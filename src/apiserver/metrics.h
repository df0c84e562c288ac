// Counters of the API server in Prometheus' text format.
#pragma once

#include <skiff/base/clock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::apiserver {

// Thread-safe.
class Metrics {
 public:
  void count_request(std::string_view verb, int code);
  void count_watch(int change) { watches_ += change; }
  // A stream (exec, attach, port-forward) that a client opened, by what carries it.
  void count_stream(bool is_websocket, std::string_view protocol);
  void append_text(std::string& out) const;

 private:
  static constexpr std::size_t kVerbs = 9;    // the eight verbs of resources, and all others
  static constexpr std::size_t kClasses = 6;  // 0 (unused), 1xx to 5xx
  std::array<std::array<std::atomic<std::uint64_t>, kClasses>, kVerbs> requests_{};
  static constexpr std::size_t kProtocols = 4;  // those that are offered, and all others
  std::array<std::array<std::atomic<std::uint64_t>, kProtocols>, 2> streams_{};
  std::atomic<std::int64_t> watches_{0};
};

}  // namespace skiff::apiserver
