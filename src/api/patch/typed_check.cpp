#include "api/patch/typed_value.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::patch {

using base::concat;
using codec::Json;

namespace {

constexpr std::size_t kDefectsMax = 100;

// Go's name of the type of a decoded value.
std::string_view go_type_of(const Json& value) {
  if (value.is_string()) return "string";
  if (value.is_bool()) return "bool";
  if (value.is_int()) return "int64";
  if (value.is_double()) return "float64";
  if (value.is_array()) return "[]interface {}";
  if (value.is_object()) return "map[string]interface {}";
  return "<nil>";
}

class Checker {
 public:
  std::vector<std::string> take() { return std::move(defects_); }

  void check(const Shape& shape, const Json& value, const std::string& path) {
    if (defects_.size() >= kDefectsMax || value.is_null()) return;
    if (shape.kind == ShapeKind::atomic) return;
    if (shape.kind == ShapeKind::scalar) return check_scalar(shape, value, path);
    if (!shape.fits(value)) {
      complain(path, concat(shape.is_list() ? "expected list, got " : "expected map, got ",
                            printed(value)));
      return;
    }
    if (shape.is_list()) return check_list(shape, value, path);
    for (const auto& member : value.members()) {
      const std::string inner = concat(path, ".", member.key);
      if (shape.kind == ShapeKind::object && find_field(*shape.type, member.key) == nullptr)
        complain(inner, "field not declared in schema");
      else
        check(shape.member(member.key), member.value, inner);
    }
  }

 private:
  static std::string printed(const Json& value) {
    return value.is_object() || value.is_array() ? std::string(go_type_of(value))
                                                 : codec::write_json(value);
  }
  void complain(const std::string& path, const std::string& what) {
    defects_.push_back(concat(path, ": ", what));
  }

  void check_scalar(const Shape& shape, const Json& value, const std::string& path) {
    if (shape.field == nullptr) return;
    switch (shape.field->type) {
      case JsonType::boolean:
        if (!value.is_bool()) complain(path, concat("expected boolean, got ", printed(value)));
        return;
      case JsonType::integer:
      case JsonType::number:
        if (!value.is_number())
          complain(path, concat("expected numeric (int or float), got ", go_type_of(value)));
        return;
      case JsonType::string:
      case JsonType::time:
      case JsonType::micro_time:
      case JsonType::duration:
      case JsonType::bytes:
        if (!value.is_string()) complain(path, concat("expected string, got ", printed(value)));
        return;
      default:
        if (value.is_object() || value.is_array())
          complain(path, concat("expected scalar, got ", printed(value)));
    }
  }

  void check_list(const Shape& shape, const Json& value, const std::string& path) {
    std::set<PathElement> seen;
    for (std::size_t i = 0; i < value.items().size(); ++i) {
      const Json& item = value.item(i);
      auto element = list_item_element(shape, item);
      if (!element.is_ok()) {
        complain(path, concat("element ", i, ": ", element.status().message()));
        continue;
      }
      if (!seen.insert(*element).second)
        complain(path, concat("duplicate entries for key ", element->to_string()));
      check(shape.element(), item, path + element->to_string());
    }
  }

  std::vector<std::string> defects_;
};

}  // namespace

std::vector<std::string> check_typed(const Shape& shape, const Json& value) {
  Checker checker;
  checker.check(shape, value, "");
  return checker.take();
}

}  // namespace skiff::api::patch
