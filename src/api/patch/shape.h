// What the schema says of a value: how patches and apply walk it.
#pragma once

#include <skiff/api/schema.h>
#include <skiff/codec/json.h>

#include <string_view>

namespace skiff::api::patch {

enum class ShapeKind : unsigned char {
  scalar,  // no members of its own, or of an unknown schema
  atomic,  // a container that is one leaf
  object,  // named fields
  map,     // any keys
  list_set,
  list_map,
};

// Value type; views static tables.
struct Shape {
  ShapeKind kind = ShapeKind::scalar;
  const TypeInfo* type = nullptr;  // of an object; of list elements and map values that are objects
  const FieldInfo* field = nullptr;  // of a list or map, or of a declared scalar

  static Shape of_type(const TypeInfo& type);
  static Shape of_field(const FieldInfo& field);
  // Of the values of a map or the elements of a list.
  Shape element() const;
  // Of a member; scalar where nothing is declared.
  Shape member(std::string_view name) const;

  bool is_map_like() const { return kind == ShapeKind::object || kind == ShapeKind::map; }
  bool is_list() const { return kind == ShapeKind::list_set || kind == ShapeKind::list_map; }
  // Whether `value` can be walked as this shape says.
  bool fits(const codec::Json& value) const {
    return (is_map_like() && value.is_object()) || (is_list() && value.is_array());
  }
};

}  // namespace skiff::api::patch
