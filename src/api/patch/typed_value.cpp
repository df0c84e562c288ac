#include "api/patch/typed_value.h"

#include <skiff/base/strings.h>

#include "api/patch/member_index.h"

#include <algorithm>
#include <functional>
#include <map>

namespace skiff::api::patch {

using base::concat;
using codec::Json;

namespace {

const Json& empty_object() {
  static const Json object = Json::object();
  return object;
}
const Json& null_json() {
  static const Json null;
  return null;
}

// Items of a list by what identifies them; an item that nothing identifies is left out.
using ItemIndex = std::map<PathElement, std::vector<const Json*>>;

ItemIndex index_items(const Shape& list, const Json* value, std::vector<PathElement>* order) {
  ItemIndex items;
  if (value == nullptr) return items;
  for (const auto& item : value->items()) {
    auto element = list_item_element(list, item);
    if (!element.is_ok()) continue;
    auto& same = items[*element];
    if (same.empty() && order != nullptr) order->push_back(*element);
    same.push_back(&item);
  }
  return items;
}

bool is_empty(const Json* value) { return value == nullptr || value->empty(); }

// Neither side is of a type that the shape does not have.
bool both_fit(const Shape& shape, const Json* a, const Json* b) {
  auto fits = [&](const Json* value) {
    return value == nullptr || value->is_null() || shape.fits(*value);
  };
  return (shape.is_map_like() || shape.is_list()) && fits(a) && fits(b);
}

}  // namespace

base::Result<PathElement> list_item_element(const Shape& list, const Json& item) {
  if (list.kind == ShapeKind::list_set) {
    if (item.is_object())
      return base::invalid_argument(
          "associative list without keys has an element that's a map type");
    if (item.is_array())
      return base::invalid_argument("not supported: associative list with lists as elements");
    if (item.is_null())
      return base::invalid_argument(
          "associative list without keys has an element that's an explicit null");
    return PathElement::of_value(item);
  }
  if (item.is_null())
    return base::invalid_argument("associative list with keys may not have a null element");
  if (!item.is_object())
    return base::invalid_argument("associative list with keys may not have non-map elements");
  Json key = Json::object();
  std::string names;
  for (std::string_view name : list.field->list_map_keys) {
    names += concat(names.empty() ? "" : " ", base::quote(name));
    const FieldInfo* field = list.type == nullptr ? nullptr : find_field(*list.type, name);
    if (const Json* value = item.find(name); value != nullptr) {
      key.set(name, *value);
    } else if (field != nullptr && !field->default_json.empty()) {
      if (auto value = codec::parse_json(field->default_json); value.is_ok())
        key.set(name, std::move(*value));
    }
  }
  if (key.empty())
    return base::invalid_argument(
        concat("associative list with keys has an element that omits all key fields [", names,
               "] (and doesn't have default values for any key fields)"));
  return PathElement::of_key(std::move(key));
}

namespace {

class FieldSetBuilder {
 public:
  FieldSet take() { return std::move(set_); }

  void walk(const Shape& shape, const Json& value) {
    if (!shape.is_map_like() && !shape.is_list()) return add();
    if (value.is_null()) return;
    if (!shape.fits(value)) return add();
    if (shape.is_list()) return walk_list(shape, value);
    for (const auto& member : value.members()) {
      const Shape inner = shape.member(member.key);
      path_.push_back(PathElement::of_field(member.key));
      walk(inner, member.value);
      const bool declared =
          shape.kind == ShapeKind::object && find_field(*shape.type, member.key) != nullptr;
      const bool empty_map = member.value.is_object() && member.value.empty();
      if (member.value.is_null() || empty_map || !declared) add();
      path_.pop_back();
    }
  }

 private:
  void walk_list(const Shape& shape, const Json& value) {
    for (const auto& [element, items] : index_items(shape, &value, nullptr)) {
      path_.push_back(element);
      if (items.size() == 1) walk(shape.element(), *items[0]);
      add();  // several of one key are owned together
      path_.pop_back();
    }
  }
  void add() { set_.insert(path_); }

  FieldSet set_;
  Path path_;
};

// What differs at one place: the place itself, and what is below it.
struct Difference {
  bool is_added = false, is_removed = false, is_modified = false;
  Comparison below;

  bool is_none() const {
    return !is_added && !is_removed && !is_modified && below.added.empty() &&
           below.removed.empty() && below.modified.empty();
  }
};

// The differences below one place, of elements in any order. REQUIRES: each once.
class Level {
 public:
  void add(std::string_view field, Difference difference) {
    if (!difference.is_none()) add(PathElement::of_field(field), std::move(difference));
  }
  void add(PathElement element, Difference difference) {
    Comparison& below = difference.below;
    const bool is_removed = difference.is_removed || !below.removed.empty();
    const bool is_modified = difference.is_modified || !below.modified.empty();
    // Most differences are of one kind, and of that the element is moved.
    if (is_removed) put(removed_, element, difference.is_removed, std::move(below.removed));
    if (is_modified) put(modified_, element, difference.is_modified, std::move(below.modified));
    if (difference.is_added || !below.added.empty())
      put(added_, std::move(element), difference.is_added, std::move(below.added));
  }
  Comparison take() {
    return {FieldSet::of_nodes(std::move(added_)), FieldSet::of_nodes(std::move(removed_)),
            FieldSet::of_nodes(std::move(modified_))};
  }

 private:
  static void put(std::vector<FieldSetNode>& nodes, PathElement element, bool is_member,
                  FieldSet children) {
    nodes.push_back({std::move(element), is_member, std::move(children)});
  }
  std::vector<FieldSetNode> added_, removed_, modified_;
};

Difference compare(const Shape& shape, const Json* before, const Json* after);

Difference compare_leaf(const Json* before, const Json* after) {
  Difference difference;
  difference.is_added = before == nullptr;
  difference.is_removed = before != nullptr && after == nullptr;
  difference.is_modified = before != nullptr && after != nullptr && *before != *after;
  return difference;
}

// A struct by value, which Go has whether it is written or not.
bool is_plain_struct(const FieldInfo& field) {
  return field.type == JsonType::object && !field.is_list && !field.is_map && !field.is_optional;
}

// The member as the Go type would write it; nullptr when it would not.
const Json* as_written(const Json* parent, const FieldInfo& field) {
  if (parent == nullptr) return nullptr;
  const Json* value = parent->find(field.name);
  if (value != nullptr && value->is_null()) value = nullptr;
  if (field.is_optional) return value;
  if (value == nullptr) {
    if (is_plain_struct(field)) return &empty_object();
    return field.is_kept ? &null_json() : nullptr;
  }
  if (is_plain_struct(field) || field.is_kept) return value;
  const bool zero = (value->is_bool() && !value->as_bool()) ||
                    (value->is_number() && value->as_double() == 0) ||
                    (!value->is_bool() && !value->is_number() && value->empty());
  return zero ? nullptr : value;
}

void compare_field(const FieldInfo& field, const Json* before, const Json* after, Level& level) {
  const Json* left = as_written(before, field);
  const Json* right = as_written(after, field);
  const bool nothing_left = left == nullptr || left == &null_json();
  const bool nothing_right = right == nullptr || right == &null_json();
  if (nothing_left && nothing_right) return;
  level.add(field.name, compare(Shape::of_field(field), left, right));
}

// The fields that an object has, in the order of their names. Types have many fields, objects few
// of them; but plain structs are there unwritten.
std::vector<const FieldInfo*> fields_in(const TypeInfo& type, const Json& object) {
  std::vector<const FieldInfo*> fields;
  fields.reserve(object.size() + 2);
  for (const auto& member : object.members())
    if (const FieldInfo* field = find_field(type, member.key)) fields.push_back(field);
  for (const auto& field : type.fields)
    if (is_plain_struct(field) && !object.contains(field.name)) fields.push_back(&field);
  std::sort(fields.begin(), fields.end(), std::less<>());  // the table is sorted by name
  return fields;
}

Comparison compare_objects(const Shape& shape, const Json* before, const Json* after) {
  Level level;
  if (is_empty(before) && after != nullptr) {
    for (const FieldInfo* field : fields_in(*shape.type, *after))
      compare_field(*field, before, after, level);
    return level.take();
  }
  for (const auto& field : shape.type->fields) compare_field(field, before, after, level);
  return level.take();
}

Comparison compare_maps(const Shape& shape, const Json* before, const Json* after) {
  Level level;
  const Json& left = before == nullptr ? null_json() : *before;
  const Json& right = after == nullptr ? null_json() : *after;
  const MemberIndex left_index(left), right_index(right);
  for (const auto& member : left.members())
    level.add(member.key, compare(shape.element(), &member.value, right_index.find(member.key)));
  for (const auto& member : right.members())
    if (left_index.find(member.key) == nullptr)
      level.add(member.key, compare(shape.element(), nullptr, &member.value));
  return level.take();
}

// Items of one key: one against one as values, several together as one leaf.
Difference compare_items(const Shape& item, const std::vector<const Json*>& before,
                         const std::vector<const Json*>& after) {
  const Json* left = before.empty() ? nullptr : before[0];
  const Json* right = after.empty() ? nullptr : after[0];
  if (before.size() <= 1 && after.size() <= 1) return compare(item, left, right);
  Difference difference;
  if (before.size() > 1 && after.size() > 1) {
    bool same = before.size() == after.size();
    for (std::size_t i = 0; same && i < before.size(); ++i) same = *before[i] == *after[i];
    difference.is_modified = !same;
  } else if (before.size() > 1) {
    if (right != nullptr) difference = compare(item, nullptr, right);
    difference.is_removed = true;
  } else {
    if (left != nullptr) difference = compare(item, left, nullptr);
    difference.is_added = true;
  }
  return difference;
}

Comparison compare_lists(const Shape& shape, const Json* before, const Json* after) {
  Level level;
  const Shape item = shape.element();
  ItemIndex left = index_items(shape, before, nullptr);
  ItemIndex right = index_items(shape, after, nullptr);
  for (const auto& [element, items] : left)
    level.add(element, compare_items(item, items, right[element]));
  for (const auto& [element, items] : right)
    if (left.find(element) == left.end()) level.add(element, compare_items(item, {}, items));
  return level.take();
}

Difference compare(const Shape& shape, const Json* before, const Json* after) {
  // Most of an object stays as it is.
  if (before != nullptr && after != nullptr && *before == *after) return {};
  if (!both_fit(shape, before, after) || (is_empty(before) && is_empty(after)))
    return compare_leaf(before, after);
  Difference difference;
  if (shape.is_list())
    difference.below = compare_lists(shape, before, after);
  else if (shape.kind == ShapeKind::map)
    difference.below = compare_maps(shape, before, after);
  else
    difference.below = compare_objects(shape, before, after);
  difference.is_added = before == nullptr;
  difference.is_removed = after == nullptr;
  return difference;
}

// REQUIRES: one of the two is there.
Json merge(const Shape& shape, const Json* live, const Json* applied);

Json merge_maps(const Shape& shape, const Json* live, const Json* applied) {
  const Json& left = live == nullptr ? null_json() : *live;
  const Json& right = applied == nullptr ? null_json() : *applied;
  const MemberIndex left_index(left), right_index(right);
  Json out = Json::object();
  for (const auto& member : left.members())
    out.mutable_members().push_back(
        {member.key, merge(shape.member(member.key), &member.value, right_index.find(member.key))});
  for (const auto& member : right.members())
    if (left_index.find(member.key) == nullptr)
      out.mutable_members().push_back(
          {member.key, merge(shape.member(member.key), nullptr, &member.value)});
  return out;
}

// The items of both lists: shared ones in the order of `applied`, the others where they were.
class ListMerger {
 public:
  ListMerger(const Shape& shape, const Json* live, const Json* applied) : shape_(shape) {
    right_ = index_items(shape, applied, &right_order_);
    if (live == nullptr) return;
    for (const auto& item : live->items()) {
      auto element = list_item_element(shape, item);
      if (!element.is_ok()) continue;
      left_[*element].push_back(&item);
      left_order_.emplace_back(std::move(*element), &item);
    }
    for (const auto& element : right_order_)
      if (left_.count(element) != 0) shared_.push_back(&element);
  }

  Json take() {
    while (l_ < left_order_.size() || r_ < right_order_.size()) {
      if (l_ < left_order_.size() && r_ < right_order_.size()) {
        const PathElement& element = left_order_[l_].first;
        if (element == right_order_[r_]) {
          add_right();
          ++l_;
          continue;
        }
        const PathElement* next = next_shared_ < shared_.size() ? shared_[next_shared_] : nullptr;
        if (right_.count(element) != 0 && next != nullptr && !(*next == element)) {
          ++l_;  // shared, but it is not its turn
          continue;
        }
      }
      if (l_ < left_order_.size()) {
        const auto& [element, item] = left_order_[l_];
        if (right_.count(element) == 0) {
          out_.push_back(merge(shape_.element(), item, nullptr));
          ++l_;
          continue;
        }
        if (merged_.count(element) != 0) ++l_;
      }
      if (r_ < right_order_.size()) add_right();
    }
    return std::move(out_);
  }

 private:
  void add_right() {
    const PathElement& element = right_order_[r_++];
    merged_.emplace(element, true);
    auto found = left_.find(element);
    // Several live items of one key are replaced, not merged.
    const Json* live =
        found != left_.end() && found->second.size() == 1 ? found->second[0] : nullptr;
    out_.push_back(merge(shape_.element(), live, right_.at(element)[0]));
    if (next_shared_ < shared_.size() && *shared_[next_shared_] == element) ++next_shared_;
  }

  const Shape& shape_;
  ItemIndex left_, right_;
  std::vector<std::pair<PathElement, const Json*>> left_order_;
  std::vector<PathElement> right_order_;
  std::vector<const PathElement*> shared_;
  std::map<PathElement, bool> merged_;
  std::size_t l_ = 0, r_ = 0, next_shared_ = 0;
  Json out_ = Json::array();
};

Json merge(const Shape& shape, const Json* live, const Json* applied) {
  const bool leaf = !both_fit(shape, live, applied) || (is_empty(live) && is_empty(applied));
  if (leaf) return applied != nullptr ? *applied : *live;
  return shape.is_list() ? ListMerger(shape, live, applied).take()
                         : merge_maps(shape, live, applied);
}

const FieldSetNode* node_of(const FieldSet& set, const PathElement& element) {
  return set.find(element);
}

}  // namespace

FieldSet to_field_set(const Shape& shape, const Json& value) {
  FieldSetBuilder builder;
  builder.walk(shape, value);
  return builder.take();
}

Comparison compare_values(const Shape& shape, const Json& before, const Json& after) {
  return compare(shape, &before, &after).below;
}

Json merge_values(const Shape& shape, const Json& live, const Json& applied) {
  return merge(shape, &live, &applied);
}

Json remove_items(const Shape& shape, const Json& value, const FieldSet& remove) {
  if (!shape.is_map_like() && !shape.is_list())
    return shape.kind == ShapeKind::atomic ? Json() : value;
  if (!shape.fits(value) || value.empty()) return Json();
  Json out;
  auto keep = [&](const PathElement& element, const Shape& inner, const Json& item, auto&& add) {
    const FieldSetNode* node = node_of(remove, element);
    if (node != nullptr && node->is_member) return;
    add(node != nullptr && !node->children.empty() ? remove_items(inner, item, node->children)
                                                   : item);
  };
  if (shape.is_list()) {
    for (const auto& item : value.items()) {
      auto element = list_item_element(shape, item);
      if (!element.is_ok()) {
        out.push_back(item);
        continue;
      }
      keep(*element, shape.element(), item, [&](Json kept) { out.push_back(std::move(kept)); });
    }
    return out;
  }
  for (const auto& member : value.members())
    keep(PathElement::of_field(member.key), shape.member(member.key), member.value,
         [&](Json kept) { out.set(member.key, std::move(kept)); });
  return out;
}

FieldSet with_named_fields(const FieldSet& set, const Shape& shape) {
  FieldSet result;
  for (const auto& node : set.nodes()) {
    Shape inner;
    bool named = false;
    if (node.element.type == PathElement::Type::field) {
      inner = shape.member(node.element.name);
      named = shape.kind == ShapeKind::object && !node.children.empty() &&
              find_field(*shape.type, node.element.name) != nullptr;
    } else if (node.element.type == PathElement::Type::key && shape.is_list()) {
      inner = shape.element();
    }
    result.mutable_nodes().push_back(
        {node.element, node.is_member || named, with_named_fields(node.children, inner)});
  }
  return result;
}

}  // namespace skiff::api::patch
