// Container logs in CRI format: "<RFC3339Nano> stdout|stderr P|F <text>". Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::agent {

struct LogOptions {
  bool follow = false, previous = false, timestamps = false;
  std::optional<std::int64_t> tail_lines, limit_bytes;
  std::optional<base::WallTime> since;
  std::string stream;  // "", "All", "Stdout", "Stderr"
};
// PodLogOptions. Errors: invalid_argument.
base::Result<LogOptions> plan_log_options(const codec::Json& options, base::WallTime now);

// Turns pieces of a log file into what the client gets. Keeps an unfinished line for the next
// piece.
class LogFormatter {
 public:
  explicit LogFormatter(LogOptions options) : options_(std::move(options)) {}
  // Appends to `out`. False once limit_bytes is reached.
  bool add(std::string_view piece, std::string& out);
  // Another file begins (rotation): what was unfinished is dropped.
  void start_file() { unfinished_.clear(); }

 private:
  bool add_line(std::string_view line, std::string& out);
  LogOptions options_;
  std::string unfinished_;
  bool is_line_start_ = true;
  std::int64_t written_bytes_ = 0;
};

// Where the last `lines` lines of `text` begin.
std::size_t tail_offset(std::string_view text, std::int64_t lines);

// The sentence when a container has no log to show, in the kubelet's words; the attempt whose log
// is shown otherwise. `status` is the pod's, `record` may be of a pod that has finished.
base::Result<int> plan_log_attempt(const codec::Json& pod, std::string_view container,
                                   bool previous);

}  // namespace skiff::agent
