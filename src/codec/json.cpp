#include <skiff/base/assert.h>
#include <skiff/codec/json.h>

#include <cmath>

namespace skiff::codec {

namespace {
const Json kNull;
const Json::Array kNoItems;
const Json::Object kNoMembers;
}  // namespace

Json Json::array() {
  Json json;
  json.value_ = Array();
  return json;
}
Json Json::array(std::initializer_list<Json> items) {
  Json json;
  json.value_ = Array(items);
  return json;
}
Json Json::object() {
  Json json;
  json.value_ = Object();
  return json;
}
Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Object object;
  object.reserve(members.size());
  for (const auto& [key, value] : members) object.push_back({std::string(key), value});
  Json json;
  json.value_ = std::move(object);
  return json;
}

bool Json::as_bool(bool fallback) const {
  const bool* value = std::get_if<bool>(&value_);
  return value ? *value : fallback;
}
std::int64_t Json::as_int(std::int64_t fallback) const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) {
    if (*value == std::floor(*value) && *value >= -9.2e18 && *value <= 9.2e18)
      return static_cast<std::int64_t>(*value);
  }
  return fallback;
}
double Json::as_double(double fallback) const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  return fallback;
}
std::string_view Json::as_string(std::string_view fallback) const {
  const auto* value = std::get_if<std::string>(&value_);
  return value ? std::string_view(*value) : fallback;
}
const Json::Array& Json::items() const& {
  const auto* value = std::get_if<Array>(&value_);
  return value ? *value : kNoItems;
}
const Json& Json::item(std::size_t index) const& {
  const Array& all = items();
  return index < all.size() ? all[index] : kNull;
}
const Json::Object& Json::members() const& {
  const auto* value = std::get_if<Object>(&value_);
  return value ? *value : kNoMembers;
}
std::size_t Json::size() const {
  if (is_array()) return items().size();
  if (is_object()) return members().size();
  return as_string().size();
}

const Json* Json::find(std::string_view key) const {
  for (const auto& member : members())
    if (member.key == key) return &member.value;
  return nullptr;
}
const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found ? *found : kNull;
}
const Json& Json::at(std::initializer_list<std::string_view> path) const {
  const Json* value = this;
  for (auto key : path) {
    value = value->find(key);
    if (value == nullptr) return kNull;
  }
  return *value;
}

Json::Array& Json::mutable_items() {
  if (is_null()) value_ = Array();
  SKIFF_ASSERT(is_array());
  return std::get<Array>(value_);
}
Json::Object& Json::mutable_members() {
  if (is_null()) value_ = Object();
  SKIFF_ASSERT(is_object());
  return std::get<Object>(value_);
}
std::string& Json::mutable_string() {
  if (is_null()) value_ = std::string();
  SKIFF_ASSERT(is_string());
  return std::get<std::string>(value_);
}
Json* Json::find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->find(key));
}
Json& Json::operator[](std::string_view key) {
  Object& object = mutable_members();
  for (auto& member : object)
    if (member.key == key) return member.value;
  object.push_back({std::string(key), Json()});
  return object.back().value;
}
Json& Json::set(std::string_view key, Json value) {
  Json& slot = (*this)[key];
  slot = std::move(value);
  return slot;
}
bool Json::erase(std::string_view key) {
  auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return false;
  for (auto it = object->begin(); it != object->end(); ++it) {
    if (it->key != key) continue;
    object->erase(it);
    return true;
  }
  return false;
}
Json& Json::push_back(Json value) {
  Array& array = mutable_items();
  array.push_back(std::move(value));
  return array.back();
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_int() && b.is_int()) return a.as_int() == b.as_int();
    return a.as_double() == b.as_double();
  }
  if (a.value_.index() != b.value_.index()) return false;
  if (a.is_bool()) return a.as_bool() == b.as_bool();
  if (a.is_string()) return a.as_string() == b.as_string();
  if (a.is_array()) return a.items() == b.items();
  if (!a.is_object()) return true;
  if (a.size() != b.size()) return false;
  // Members mostly come in the same order; a look-up only where they do not.
  const auto& others = b.members();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto& member = a.members()[i];
    const Json* other = others[i].key == member.key ? &others[i].value : b.find(member.key);
    if (other == nullptr || !(member.value == *other)) return false;
  }
  return true;
}

}  // namespace skiff::codec
