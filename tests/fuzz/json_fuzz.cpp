// What parses must be written and read again; after the first writing (which repairs bad UTF-8 and
// makes -0.0 a number of its own) nothing changes any more.
#include <skiff/codec/json.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace skiff::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  JsonParseOptions options;
  options.duplicates = &duplicates;
  auto value = parse_json(text, options);
  if (!value) return 0;
  auto second = parse_json(write_json(*value));
  if (!second) std::abort();
  auto third = parse_json(write_json(*second));
  if (!third) std::abort();
  auto fourth = parse_json(write_json(*third));
  if (!fourth || write_json(*fourth) != write_json(*third)) std::abort();
  return 0;
}
