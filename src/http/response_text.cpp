#include "http/response_text.h"

#include <skiff/base/strings.h>

#include "http/framer.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace skiff::http {

namespace {

constexpr std::pair<int, std::string_view> kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Requested Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

bool is_framing_field(std::string_view name) {
  switch (name.size()) {
    case 4: return base::equals_ignore_case(name, "Date");
    case 10:
      return base::equals_ignore_case(name, "Connection") ||
             base::equals_ignore_case(name, "Keep-Alive");
    case 14: return base::equals_ignore_case(name, "Content-Length");
    case 17: return base::equals_ignore_case(name, "Transfer-Encoding");
    default: return false;
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const auto& [code, reason] : kReasons)
    if (code == status) return reason;
  return "status";
}

std::string format_http_date(base::WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t seconds = time.unix_seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  auto two = [](int v) {
    return std::string{static_cast<char>('0' + v / 10), static_cast<char>('0' + v % 10)};
  };
  return base::concat(kDays[parts.tm_wday], ", ", two(parts.tm_mday), " ", kMonths[parts.tm_mon],
                      " ", parts.tm_year + 1900, " ", two(parts.tm_hour), ":", two(parts.tm_min),
                      ":", two(parts.tm_sec), " GMT");
}

std::string make_response_head(int status, const Headers& headers, const HeadFraming& framing,
                               std::string_view date) {
  std::string out;
  out.reserve(512);
  out += "HTTP/1.1 ";
  out += std::to_string(status);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
  for (const auto& [name, value] : headers.fields()) {
    if (status != 101 && is_framing_field(name)) continue;
    if (!is_sendable_field(name, value)) continue;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (status != 101) {
    out += "Date: ";
    out += date;
    out += "\r\n";
    if (framing.content_length) {
      out += "Content-Length: ";
      out += std::to_string(*framing.content_length);
      out += "\r\n";
    }
    if (framing.chunked) out += "Transfer-Encoding: chunked\r\n";
    if (!framing.keep_alive)
      out += "Connection: close\r\n";
    else if (framing.minor_version == 0)
      out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  return out;
}

std::string make_status_json(int code, std::string_view reason, std::string_view message) {
  std::string text;
  for (char c : message) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return base::concat(
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")", text,
      R"(","reason":")", reason, R"(","code":)", code, "}\n");
}

}  // namespace skiff::http
