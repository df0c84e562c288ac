#include "api/rules/error_list.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

std::string child(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : concat(path, ".", name);
}
std::string index(std::string_view path, std::size_t i) { return concat(path, "[", i, "]"); }
std::string key(std::string_view path, std::string_view name) {
  return concat(path, "[", name, "]");
}

std::string value_text(const Json& value) {
  return value.is_string() ? base::quote(value.as_string()) : codec::write_json(value);
}

void ErrorList::required(std::string path, std::string_view detail) {
  errors_.push_back({FieldError::Type::required, std::move(path), "", std::string(detail)});
}
void ErrorList::invalid(std::string path, const Json& value, std::string_view detail) {
  errors_.push_back(
      {FieldError::Type::invalid, std::move(path), value_text(value), std::string(detail)});
}
void ErrorList::invalid_each(const std::string& path, std::string_view value,
                             const std::vector<std::string>& details) {
  for (const auto& detail : details) invalid(path, value, detail);
}
void ErrorList::duplicate(std::string path, const Json& value) {
  errors_.push_back({FieldError::Type::duplicate, std::move(path), value_text(value), ""});
}
void ErrorList::forbidden(std::string path, std::string_view detail) {
  errors_.push_back({FieldError::Type::forbidden, std::move(path), "", std::string(detail)});
}
void ErrorList::not_found(std::string path, const Json& value) {
  errors_.push_back({FieldError::Type::not_found, std::move(path), value_text(value), ""});
}

void ErrorList::not_supported(std::string path, std::string_view value,
                              std::span<const std::string_view> supported) {
  std::string detail;
  for (auto name : supported)
    detail += concat(detail.empty() ? "supported values: " : ", ", base::quote(name));
  errors_.push_back(
      {FieldError::Type::not_supported, std::move(path), base::quote(value), std::move(detail)});
}

void ErrorList::not_supported_value(std::string path, const Json& value,
                                    std::initializer_list<std::string_view> supported) {
  not_supported(std::move(path), "", supported);
  errors_.back().bad_value = value_text(value);
}

void ErrorList::too_long(std::string path, std::size_t bytes_max) {
  errors_.push_back(
      {FieldError::Type::too_long, std::move(path), "",
       concat("may not be more than ", bytes_max, bytes_max == 1 ? " byte" : " bytes")});
}

void ErrorList::too_many(std::string path, std::size_t actual, std::size_t items_max) {
  errors_.push_back({FieldError::Type::too_many, std::move(path), std::to_string(actual),
                     concat("must have at most ", items_max, items_max == 1 ? " item" : " items")});
}

bool contains(std::span<const std::string_view> values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace skiff::api::rules
