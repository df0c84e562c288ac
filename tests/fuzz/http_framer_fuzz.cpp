// HTTP/1.1 heads and bodies. The framing must not depend on how the bytes are cut into pieces.
#include <skiff/base/assert.h>

#include "http/framer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

using namespace skiff::http;

namespace {

struct Outcome {
  HeadScanner::State scanned{};
  std::size_t head_bytes = 0;
  int error = 0;
  BodyDecoder::State body_state{};
  std::string body;
};

// `step`: bytes per piece.
Outcome read_request(std::string_view bytes, std::size_t step) {
  Outcome outcome;
  HeadScanner scanner;
  std::size_t seen = 0;
  do {
    seen = std::min(bytes.size(), seen + step);
    outcome.scanned = scanner.scan(bytes.substr(0, seen));
  } while (outcome.scanned == HeadScanner::State::need_more && seen < bytes.size());
  if (outcome.scanned != HeadScanner::State::complete) return outcome;
  outcome.head_bytes = scanner.head_bytes();
  RequestHead head;
  if (auto error = parse_request_head(bytes.substr(0, outcome.head_bytes), head)) {
    SKIFF_ASSERT(error->status >= 400);
    outcome.error = error->status;
    return outcome;
  }
  SKIFF_ASSERT(is_token(head.method) && !head.target.empty());
  for (const auto& [name, value] : head.headers.fields())
    SKIFF_ASSERT(is_sendable_field(name, value));
  BodyDecoder decoder;
  decoder.start(head.body, head.content_length, 1 << 16);
  std::string pending;
  std::size_t at = outcome.head_bytes;
  for (;;) {
    std::size_t consumed = 0;
    outcome.body_state = decoder.decode(pending, outcome.body, consumed);
    SKIFF_ASSERT(consumed <= pending.size());
    pending.erase(0, consumed);
    if (outcome.body_state != BodyDecoder::State::need_more || at == bytes.size()) break;
    std::size_t take = std::min(step, bytes.size() - at);
    pending.append(bytes.substr(at, take));
    at += take;
  }
  SKIFF_ASSERT(outcome.body.size() <= (1 << 16));
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size > 20'000) return 0;
  Outcome whole = read_request(bytes, size + 1);
  for (std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    Outcome pieces = read_request(bytes, step);
    SKIFF_ASSERT(pieces.scanned == whole.scanned);
    SKIFF_ASSERT(pieces.head_bytes == whole.head_bytes && pieces.error == whole.error);
    SKIFF_ASSERT(pieces.body_state == whole.body_state);
    if (whole.body_state == BodyDecoder::State::done) SKIFF_ASSERT(pieces.body == whole.body);
  }
  HeadScanner scanner;
  if (scanner.scan(bytes) == HeadScanner::State::complete) {
    ResponseHead head;
    (void)parse_response_head(bytes.substr(0, scanner.head_bytes()), "GET", head);
  }
  (void)parse_query(bytes);
  if (auto decoded = percent_decode(bytes)) {
    auto again = percent_decode(percent_encode(*decoded));
    SKIFF_ASSERT(again && *again == *decoded);
  }
  return 0;
}
