// What parses must be written and read again as the same value.
#include <skiff/codec/yaml.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace skiff::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  JsonParseOptions options;
  options.limits.bytes_max = 1u << 16;
  options.limits.values_max = 10'000;
  auto documents = parse_yaml_stream(text, options);
  if (!documents) return 0;
  for (const Json& document : *documents) {
    // Bytes that are no UTF-8 are replaced on the way out, so the first writing settles them.
    auto settled = parse_json(write_json(document));
    if (!settled) std::abort();
    auto again = parse_yaml(write_yaml(*settled));
    if (!again || write_json(*again) != write_json(*settled)) std::abort();
  }
  return 0;
}
