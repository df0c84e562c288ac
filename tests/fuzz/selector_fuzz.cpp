// A selector that parses prints as one that matches the same; trees and text match alike.
#include <skiff/api/object.h>
#include <skiff/api/selector.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace skiff;

namespace {

const api::Labels kLabels[] = {
    {}, {{"a", "b"}}, {{"a", ""}, {"c", "1"}}, {{"x.y/z", "B_-.c"}, {"a", "2"}}};

void check_labels(std::string_view text) {
  auto selector = api::LabelSelector::parse(text);
  if (!selector) return;
  auto again = api::LabelSelector::parse(selector->to_string());
  if (!again || again->to_string() != selector->to_string()) std::abort();
  for (const auto& labels : kLabels)
    if (selector->matches(labels) != again->matches(labels)) std::abort();
}

void check_fields(std::string_view text, std::string_view object) {
  auto selector = api::FieldSelector::parse(text);
  if (!selector) return;
  const bool by_text = selector->matches_text(object);
  std::vector<std::string> duplicates;
  codec::JsonParseOptions options;
  options.duplicates = &duplicates;
  auto tree = codec::parse_json(object, options);
  // The scanner takes the first of repeated members, the tree the last.
  if (!tree || !duplicates.empty()) return;
  if (selector->matches(*tree) != by_text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find('\n'));
  check_labels(text);
  const std::string_view object =
      text.size() == input.size()
          ? std::string_view(R"({"metadata":{"name":"a"},"spec":{"nodeName":"n","x":true}})")
          : input.substr(text.size() + 1);
  check_fields(text, object);
  api::scan_string(object, {"metadata", "name"});
  api::scan_string_map(object, {"metadata", "labels"});
  return 0;
}
