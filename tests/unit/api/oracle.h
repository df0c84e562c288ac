// Recorded documents of upstream (../shared/oracle); not part of the project and often absent.
#pragma once

#include <skiff/codec/json.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace skiff::tests {

inline std::filesystem::path oracle_folder() {
  return std::filesystem::path(SKIFF_SOURCE_ROOT) / ".." / "shared" / "oracle";
}

inline std::optional<std::string> read_oracle(const std::string& name) {
  std::ifstream in(oracle_folder() / name, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline std::optional<codec::Json> read_oracle_json(const std::string& name) {
  auto text = read_oracle(name);
  if (!text) return std::nullopt;
  auto json = codec::parse_json(*text);
  if (!json) return std::nullopt;
  return std::move(json).value();
}

}  // namespace skiff::tests

// Ends the test with a line that names what was skipped.
#define SKIFF_SKIP_WITHOUT(oracle, name)   \
  if (!(oracle)) {                         \
    WARN("skipped: no oracle " << (name)); \
    return;                                \
  }
