// Collecting field errors in upstream's forms.
#pragma once

#include <skiff/api/validation.h>
#include <skiff/codec/json.h>

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api::rules {

// Paths as field.Path prints them: spec.containers[0].name, metadata.labels[key].
std::string child(std::string_view path, std::string_view name);
std::string index(std::string_view path, std::size_t i);
std::string key(std::string_view path, std::string_view name);

// A value as a field error prints it: strings quoted, the rest as JSON.
std::string value_text(const codec::Json& value);

// Thread-compatible.
class ErrorList {
 public:
  void required(std::string path, std::string_view detail = {});
  void invalid(std::string path, const codec::Json& value, std::string_view detail);
  // One error per sentence of a check.
  void invalid_each(const std::string& path, std::string_view value,
                    const std::vector<std::string>& details);
  void duplicate(std::string path, const codec::Json& value);
  void forbidden(std::string path, std::string_view detail);
  void not_found(std::string path, const codec::Json& value);
  void not_supported(std::string path, std::string_view value,
                     std::span<const std::string_view> supported);
  void not_supported(std::string path, std::string_view value,
                     std::initializer_list<std::string_view> supported) {
    not_supported(std::move(path), value, std::span(supported.begin(), supported.size()));
  }
  // The same for a value that is no string.
  void not_supported_value(std::string path, const codec::Json& value,
                           std::initializer_list<std::string_view> supported);
  void too_long(std::string path, std::size_t bytes_max);
  void too_many(std::string path, std::size_t actual, std::size_t items_max);

  std::size_t size() const { return errors_.size(); }
  FieldErrors take() { return std::move(errors_); }

 private:
  FieldErrors errors_;
};

bool contains(std::span<const std::string_view> values, std::string_view value);
inline bool contains(std::initializer_list<std::string_view> values, std::string_view value) {
  return contains(std::span(values.begin(), values.size()), value);
}

inline constexpr std::string_view kFieldIsImmutable = "field is immutable";
inline constexpr std::string_view kNotNegative = "must be greater than or equal to 0";

}  // namespace skiff::api::rules
