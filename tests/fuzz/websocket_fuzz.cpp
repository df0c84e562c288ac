// Frames of WebSocket clients: channels, and SPDY tunneled inside.
#include "fuzz/session_transport.h"
#include "http/limits.h"
#include "http/sessions/websocket_codec.h"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;

namespace {

std::string log_of(std::string_view bytes, std::size_t step) {
  http::WebSocketReader reader;
  std::string log;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    for (;;) {
      auto event = reader.next(piece);
      if (event == http::WebSocketReader::Event::need_more) break;
      log += std::to_string(static_cast<int>(event)) + ":";
      if (event == http::WebSocketReader::Event::error) return log;
      auto payload = reader.take_payload();
      SKIFF_ASSERT(payload.size() <= http::kWebSocketMessageBytesMax);
      log += payload;
      if (event == http::WebSocketReader::Event::close) return log;
    }
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size > 20'000) return 0;
  SKIFF_ASSERT(log_of(bytes, 1) == log_of(bytes, size + 1));
  auto channels =
      http::make_websocket_session(std::make_unique<fuzz::SinkTransport>(), "v5.channel.k8s.io");
  fuzz::feed(*channels, bytes, 3);
  auto tunnel =
      http::make_tunnel_session(std::make_unique<fuzz::SinkTransport>(), "portforward.k8s.io", {});
  fuzz::feed(*tunnel, bytes, size + 1);
  return 0;
}
