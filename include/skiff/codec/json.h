// JSON values: the tree that decoding, patching and controllers work on.
//
// Objects keep the order in which members were added; look-up is linear, which wins at the sizes
// that Kubernetes objects have. Integers are kept apart from floating point numbers, as Go's
// decoder does (int64 when the text is an integer that fits).
#pragma once

#include <skiff/base/result.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skiff::codec {

struct JsonMember;

// Thread-compatible.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;

  Json() noexcept;  // null
  Json(std::nullptr_t) noexcept;
  Json(bool value);
  Json(int value);
  Json(unsigned value);
  Json(long value);
  Json(long long value);
  Json(double value);
  Json(const char* value);
  Json(std::string_view value);
  Json(std::string value);
  template <class T>
  Json(T*) = delete;  // a pointer is not a bool

  static Json array();
  static Json array(std::initializer_list<Json> items);
  static Json object();
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Values of the wrong type read as the fallback, so that absent and null need no branch.
  bool as_bool(bool fallback = false) const;
  std::int64_t as_int(std::int64_t fallback = 0) const;  // a double with no fraction counts
  double as_double(double fallback = 0) const;
  std::string_view as_string(std::string_view fallback = {}) const;
  // Empty for what is not an array or object. Not on a temporary: a range-for would outlive it.
  const Array& items() const&;
  const Object& members() const&;
  const Array& items() const&& = delete;
  // One of the items; null for what is not there, also of what is no array.
  const Json& item(std::size_t index) const&;
  const Json& item(std::size_t index) const&& = delete;
  const Object& members() const&& = delete;
  // Number of items, members or bytes of a string; 0 for the rest.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  // Reading a path never fails: absent members, and members of what is no object, are null.
  const Json& operator[](std::string_view key) const;
  const Json& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Json& at(std::initializer_list<std::string_view> path) const;
  const Json* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  // Writing: null becomes an object or array first. REQUIRES: null or of that type.
  Json& operator[](std::string_view key);
  Json& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  Json* find(std::string_view key);
  // Sets or adds the member and returns it.
  Json& set(std::string_view key, Json value);
  // Whether the member was there.
  bool erase(std::string_view key);
  Json& push_back(Json value);
  // REQUIRES: of that type.
  Array& mutable_items();
  Object& mutable_members();
  std::string& mutable_string();

  // Deep equality; objects compare without order, 1 equals 1.0.
  friend bool operator==(const Json& a, const Json& b);
  friend bool operator!=(const Json& a, const Json& b) { return !(a == b); }

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct JsonMember {
  std::string key;
  Json value;
};

// Here, because they need the complete member.
inline Json::Json() noexcept = default;
inline Json::Json(std::nullptr_t) noexcept {}
inline Json::Json(bool value) : value_(value) {}
inline Json::Json(int value) : value_(static_cast<std::int64_t>(value)) {}
inline Json::Json(unsigned value) : value_(static_cast<std::int64_t>(value)) {}
inline Json::Json(long value) : value_(static_cast<std::int64_t>(value)) {}
inline Json::Json(long long value) : value_(static_cast<std::int64_t>(value)) {}
inline Json::Json(double value) : value_(value) {}
inline Json::Json(const char* value) : value_(std::string(value)) {}
inline Json::Json(std::string_view value) : value_(std::string(value)) {}
inline Json::Json(std::string value) : value_(std::move(value)) {}

struct JsonLimits {
  std::size_t bytes_max = 3u << 20;  // kube-apiserver's request body limit
  std::size_t depth_max = 512;
  std::size_t values_max = 1'000'000;
};

struct JsonParseOptions {
  JsonLimits limits;
  // When set, receives the path of every repeated member ("spec.replicas"); the last one wins, as
  // in Go. At most 100 are kept.
  std::vector<std::string>* duplicates = nullptr;
};

// The text must be exactly one JSON value in UTF-8. Errors: invalid_argument with the offset,
// too_large for a limit.
base::Result<Json> parse_json(std::string_view text, const JsonParseOptions& options = {});

// Compact text, members in their order. Strings that are not UTF-8 have their bad bytes replaced
// by U+FFFD, as Go does; '<', '>' and '&' stay as they are.
std::string write_json(const Json& value);
void write_json(const Json& value, std::string& out);
// With line breaks and `indent` spaces per level.
std::string write_json_pretty(const Json& value, int indent = 2);
// Appends `text` quoted and escaped.
void write_json_string(std::string_view text, std::string& out);

}  // namespace skiff::codec
