// What the other side of a worker's connection sends: frames of skiff-watch-v1 and deltas, and a
// list in pieces.
#include "client/uplink/list_reader.h"

#include <skiff/client/byte_delta.h>
#include <skiff/client/watch_frames.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;

namespace {

void fuzz_frame(std::string_view bytes) {
  auto frame = client::decode_watch_frame(bytes);
  if (!frame || std::holds_alternative<client::UnknownFrame>(*frame)) return;
  // What was understood is said again in the same words, and understood in the same way.
  auto text = client::encode_watch_frame(*frame);
  auto again = client::decode_watch_frame(text);
  SKIFF_ASSERT(again.is_ok() && again->index() == frame->index());
  SKIFF_ASSERT(client::encode_watch_frame(*again) == text);
}

// The first byte says where the input is cut in two.
void fuzz_delta(std::string_view bytes) {
  if (bytes.empty()) return;
  auto cut = bytes.size() * static_cast<unsigned char>(bytes[0]) / 256;
  auto base = bytes.substr(0, cut), other = bytes.substr(cut);
  auto sum = client::delta_checksum(other);
  for (std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{5} << 20})
    (void)client::apply_delta(base, other, size, sum);
  auto made = client::apply_delta(base, client::make_delta(base, other), other.size(), sum);
  SKIFF_ASSERT(made.is_ok() && *made == other);
}

bool read_list(std::string_view bytes, std::size_t step) {
  client::ListReader reader;
  while (!bytes.empty()) {
    if (!reader.feed(bytes.substr(0, step)).is_ok()) return false;
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return reader.finish().is_ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 20'000) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fuzz_frame(bytes);
  fuzz_delta(bytes);
  SKIFF_ASSERT(read_list(bytes, 3) == read_list(bytes, bytes.size() + 1));
  return 0;
}
