// A forward scanner over JSON text that builds nothing. Never reads past the end, whatever the
// text is; what is no JSON reads as absent.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skiff::api {

// Thread-compatible.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  // At a value: enters an object. False when it is none.
  bool enter_object();
  // Inside an object: the next key, positioned at its value. False at the end or a defect.
  bool next_key(std::string& key);
  // At the end of an object, where next_key() returned false: moves past it. False on a defect.
  bool leave_object();
  // At a value: the raw text of it (a string with its quotes); moves past it. Empty on a defect.
  std::string_view take_value();

 private:
  void skip_space();
  // At '"': the raw string with quotes; empty when it does not end.
  std::string_view take_string();

  std::string_view text_;
  std::size_t at_ = 0;
};

// Decodes a raw JSON string with its quotes; nullopt when it is none.
std::optional<std::string> decode_json_string(std::string_view raw);

// The raw text of the value at a path; nullopt when absent.
std::optional<std::string_view> scan_raw(std::string_view json, const std::string_view* path,
                                         std::size_t path_size);

}  // namespace skiff::api
