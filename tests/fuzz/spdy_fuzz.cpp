// Frames of SPDY clients. The first byte chooses: raw frames, or a header block that is wrapped in
// zlib here, since no fuzzer finds its way through the compression.
#include "fuzz/session_transport.h"
#include "http/limits.h"
#include "http/sessions/spdy_codec.h"

#include <cstddef>
#include <cstdint>

using namespace skiff;

namespace {

// A stored, unfinished deflate block.
std::string wrap(std::string_view plain) {
  std::string block("\x78\x01\x00", 3);
  auto size = static_cast<unsigned>(plain.size());
  for (unsigned number : {size, ~size}) {
    block.push_back(static_cast<char>(number & 0xff));
    block.push_back(static_cast<char>(number >> 8 & 0xff));
  }
  block += plain;
  return block;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 20'000) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) {
    http::SpdyHeaderReader reader;
    auto headers = reader.read(wrap(bytes));
    if (headers) {
      http::SpdyHeaderWriter writer;
      http::SpdyHeaderReader again;
      for (const auto& [name, value] : headers->fields()) {
        http::Headers one;
        one.add(name, value);
        auto back = again.read(writer.write(one));
        SKIFF_ASSERT(back && back->get(name) == value);
      }
    }
    // The same block as it comes from a client that opens a stream.
    std::string payload;
    http::append_spdy_number(payload, 1);
    http::append_spdy_number(payload, 0);
    payload += std::string(2, '\0') + wrap(bytes);
    auto session = http::make_spdy_session(std::make_unique<fuzz::SinkTransport>(),
                                           "v4.channel.k8s.io", {{"stdin", 0}, {"error", 3}});
    fuzz::feed(*session, http::spdy_control_frame(http::SpdyType::syn_stream, 0, payload), 100);
    return 0;
  }
  for (std::size_t step : {std::size_t{1}, size}) {
    auto session =
        http::make_spdy_session(std::make_unique<fuzz::SinkTransport>(), "portforward.k8s.io", {});
    fuzz::feed(*session, bytes, step);
  }
  return 0;
}
