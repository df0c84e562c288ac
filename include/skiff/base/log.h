// Structured log lines: a constant sentence and named values. Thread-safe.
//
//   log_warning("image pull failed", {{"image", image}, {"error", status.message()}});
//
// Levels: error = somebody must act; warning = something failed and is being handled; info = rare
// events of a life cycle; debug = everything else. Nothing on a hot path logs above debug.
#pragma once

#include <skiff/base/status.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace skiff::base {

enum class LogLevel : unsigned char { debug, info, warning, error, off };
enum class LogFormat : unsigned char { text, json };

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  LogField(std::string_view k, const char* v) : key(k), text(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
  LogField(std::string_view k, const Status& v) : key(k), owned(v.to_string()), text(owned) {}
  LogField(std::string_view k, bool v) : key(k), text(v ? "true" : "false") {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
  LogField(std::string_view k, T v) : key(k), owned(std::to_string(v)), text(owned) {}

  std::string_view key;
  std::string owned;
  std::string_view text;

  LogField(const LogField&) = delete;
  LogField& operator=(const LogField&) = delete;
};
using LogFields = std::initializer_list<LogField>;

// Process-wide; call before threads start. Lines go to stderr.
void set_log(LogLevel level, LogFormat format);
bool log_enabled(LogLevel level) noexcept;
void log(LogLevel level, std::string_view sentence, LogFields fields);

inline void log_debug(std::string_view s, LogFields f = {}) {
  if (log_enabled(LogLevel::debug)) log(LogLevel::debug, s, f);
}
inline void log_info(std::string_view s, LogFields f = {}) { log(LogLevel::info, s, f); }
inline void log_warning(std::string_view s, LogFields f = {}) { log(LogLevel::warning, s, f); }
inline void log_error(std::string_view s, LogFields f = {}) { log(LogLevel::error, s, f); }

}  // namespace skiff::base
