// What parses is written in a canonical form that reads back as the same value and stays the same.
#include <skiff/api/quantity.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using skiff::api::Quantity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto quantity = Quantity::parse({reinterpret_cast<const char*>(data), size});
  if (!quantity) return 0;
  const std::string text = quantity->to_string();
  auto again = Quantity::parse(text);
  if (!again || !(*again == *quantity) || again->to_string() != text) std::abort();
  // A sum without saturation can be taken back.
  Quantity sum = *quantity + Quantity::from_milli(1);
  if (sum < *quantity) std::abort();
  if (quantity->value() < INT64_MAX / 2 && !(sum - Quantity::from_milli(1) == *quantity))
    std::abort();
  return 0;
}
