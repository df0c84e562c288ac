#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace skiff::base {

namespace {

std::atomic<LogLevel> threshold = LogLevel::info;
std::atomic<LogFormat> output_format = LogFormat::text;

spdlog::logger& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("skiff",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *instance;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    case LogLevel::off: return "off";
  }
  return "off";
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[(c >> 4) & 15];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string text_line(LogLevel level, std::string_view sentence, LogFields fields) {
  std::string line(level_name(level));
  line += ' ';
  line += sentence;
  for (const auto& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    bool plain = !field.text.empty() && field.text.find_first_of(" \"\\\n\r\t=") == field.text.npos;
    line += plain ? std::string(field.text) : quote(field.text);
  }
  return line;
}

std::string json_line(LogLevel level, std::string_view sentence, LogFields fields) {
  std::string line = "\"level\":";  // the pattern opens the object with the time
  append_json_string(line, level_name(level));
  line += ",\"msg\":";
  append_json_string(line, sentence);
  for (const auto& field : fields) {
    line += ',';
    append_json_string(line, field.key);
    line += ':';
    append_json_string(line, field.text);
  }
  line += '}';
  return line;
}

}  // namespace

void set_log(LogLevel level, LogFormat format) {
  threshold = level;
  output_format = format;
  if (format == LogFormat::json)
    logger().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)", spdlog::pattern_time_type::utc);
  else
    logger().set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
}

bool log_enabled(LogLevel level) noexcept { return level >= threshold.load(); }

void log(LogLevel level, std::string_view sentence, LogFields fields) {
  if (!log_enabled(level)) return;
  std::string line = output_format.load() == LogFormat::json ? json_line(level, sentence, fields)
                                                             : text_line(level, sentence, fields);
  logger().log(spdlog::level::info, "{}", line);
}

}  // namespace skiff::base
