#include "api/patch/shape.h"

namespace skiff::api::patch {

namespace {

Shape of_single_value(const FieldInfo& field) {
  if (field.type == JsonType::object && field.object != nullptr) {
    if (field.map_is_atomic || field.object->is_atomic) return {ShapeKind::atomic};
    return {ShapeKind::object, field.object, nullptr};
  }
  if (field.type == JsonType::any || field.type == JsonType::raw) return {ShapeKind::atomic};
  return {ShapeKind::scalar, nullptr, &field};
}

}  // namespace

Shape Shape::of_type(const TypeInfo& type) { return {ShapeKind::object, &type, nullptr}; }

Shape Shape::of_field(const FieldInfo& field) {
  if (field.is_map) {
    if (field.map_is_atomic) return {ShapeKind::atomic};
    return {ShapeKind::map, field.object, &field};
  }
  if (!field.is_list) return of_single_value(field);
  if (field.list_type == ListType::set) return {ShapeKind::list_set, field.object, &field};
  if (field.list_type == ListType::map) return {ShapeKind::list_map, field.object, &field};
  return {ShapeKind::atomic};
}

Shape Shape::element() const {
  if (field == nullptr) return {};
  if (kind == ShapeKind::map && field->is_list) return {ShapeKind::atomic};
  // The atomic mark of a map is of the map, not of what it holds.
  if (field->type == JsonType::object && field->object != nullptr)
    return field->object->is_atomic ? Shape{ShapeKind::atomic}
                                    : Shape{ShapeKind::object, field->object, nullptr};
  return of_single_value(*field);
}

Shape Shape::member(std::string_view name) const {
  if (kind == ShapeKind::map) return element();
  if (kind != ShapeKind::object || type == nullptr) return {};
  const FieldInfo* found = find_field(*type, name);
  return found == nullptr ? Shape{} : of_field(*found);
}

}  // namespace skiff::api::patch
