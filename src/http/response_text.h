// Responses as bytes of the wire. Pure, but for the cached Date.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/http/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::http {

std::string_view reason_phrase(int status);

struct HeadFraming {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  int minor_version = 1;  // of the request
};
// Status line, headers, empty line. Framing headers of the handler are replaced by our own; a
// field that would break the framing is dropped.
std::string make_response_head(int status, const Headers& headers, const HeadFraming& framing,
                               std::string_view date);

// "Mon, 02 Jan 2006 15:04:05 GMT".
std::string format_http_date(base::WallTime time);

// A metav1.Status for what is refused below the handler.
std::string make_status_json(int code, std::string_view reason, std::string_view message);

}  // namespace skiff::http
