// Walks over values with their schema: which fields they set, how two differ, how they merge.
#pragma once

#include "api/patch/field_set.h"
#include "api/patch/shape.h"

#include <string>
#include <vector>

namespace skiff::api::patch {

// What identifies an item of a list. Errors in upstream's words for items that have nothing.
base::Result<PathElement> list_item_element(const Shape& list, const codec::Json& item);

// Defects of an applied configuration: fields that are not declared, wrong types, items without
// keys or with the same. Each ".spec.x: what is wrong".
std::vector<std::string> check_typed(const Shape& shape, const codec::Json& value);

// The leaves that `value` sets, and what it names on the way.
FieldSet to_field_set(const Shape& shape, const codec::Json& value);

struct Comparison {
  FieldSet added, removed, modified;
};
// How `after` differs from `before`, read as the Go types would hold them: zero values of plain
// fields count as absent, absent plain structs as empty.
Comparison compare_values(const Shape& shape, const codec::Json& before, const codec::Json& after);

// `live` with `applied` merged into it.
codec::Json merge_values(const Shape& shape, const codec::Json& live, const codec::Json& applied);

// `value` without the fields and items in `remove`.
codec::Json remove_items(const Shape& shape, const codec::Json& value, const FieldSet& remove);

// Adds the named fields on the way to the members of `set`.
FieldSet with_named_fields(const FieldSet& set, const Shape& shape);

}  // namespace skiff::api::patch
