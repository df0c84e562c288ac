#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include "api/patch/member_index.h"
#include "api/patch/shape.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace skiff::api {

using base::concat;
using codec::Json;
using patch::MemberIndex;
using patch::Shape;
using patch::ShapeKind;

namespace {

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kDeleteFromList = "$deleteFromPrimitiveList";
constexpr std::string_view kSetElementOrder = "$setElementOrder";

using Items = Json::Array;

// Go's %v of a decoded value, as upstream's errors print it.
std::string go_text(const Json& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_null()) return "<nil>";
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const auto& item : value.items()) parts.push_back(go_text(item));
    return concat("[", base::join(parts, " "), "]");
  }
  if (!value.is_object()) return codec::write_json(value);
  std::vector<std::string> parts;
  for (const auto& member : value.members())
    parts.push_back(concat(member.key, ":", go_text(member.value)));
  std::sort(parts.begin(), parts.end());
  return concat("map[", base::join(parts, " "), "]");
}

bool is_directive(std::string_view key) {
  return key == kDirective || key == kRetainKeys || base::starts_with(key, kDeleteFromList) ||
         base::starts_with(key, kSetElementOrder);
}

// A value that is new to the object: nothing to merge with, so directives and nulls say nothing.
// False when the value itself is a directive.
bool strip_directives(Json& value, bool drop_nulls) {
  if (value.is_object()) {
    if (value.contains(kDirective)) return false;
    auto& members = value.mutable_members();
    std::erase_if(members, [&](codec::JsonMember& member) {
      return is_directive(member.key) || (drop_nulls && member.value.is_null()) ||
             !strip_directives(member.value, drop_nulls);
    });
  } else if (value.is_array()) {
    std::erase_if(value.mutable_items(),
                  [&](Json& item) { return !strip_directives(item, drop_nulls); });
  }
  return true;
}

// Where each identity stands first in a list: the merge key of maps, the value of scalars.
class Positions {
 public:
  Positions(const Items& items, std::string_view merge_key) : merge_key_(merge_key) {
    for (std::size_t i = 0; i < items.size(); ++i) places_.emplace(identity(items[i]), i);
  }
  std::optional<std::size_t> find(const Json& item) const {
    auto found = places_.find(identity(item));
    if (found == places_.end()) return std::nullopt;
    return found->second;
  }
  void add(const Json& item, std::size_t place) { places_.emplace(identity(item), place); }

 private:
  std::string identity(const Json& item) const {
    return codec::write_json(merge_key_.empty() ? item : item[merge_key_]);
  }
  std::string_view merge_key_;
  std::unordered_map<std::string, std::size_t> places_;
};

void sort_by(Items& items, const Positions& order) {
  std::vector<std::pair<std::size_t, Json>> keyed;
  for (auto& item : items) {
    const std::size_t place = order.find(item).value_or(SIZE_MAX);
    keyed.emplace_back(place, std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  items.clear();
  for (auto& [place, item] : keyed) items.push_back(std::move(item));
}

// Items that the patch names in its order, the others in the server's, merged so that both keep
// their place where the server's order tells.
Items in_order(Items merged, const Items& patch_order, const Items& server_order,
               std::string_view merge_key) {
  const Positions in_patch(patch_order, merge_key), on_server(server_order, merge_key);
  Items named, others;
  for (auto& item : merged) (in_patch.find(item) ? named : others).push_back(std::move(item));
  sort_by(named, in_patch);
  sort_by(others, on_server);
  Items result;
  std::size_t i = 0, j = 0;
  while (i < others.size() || j < named.size()) {
    bool take_other = j == named.size();
    if (!take_other && i < others.size()) {
      auto left = on_server.find(others[i]), right = on_server.find(named[j]);
      take_other = left && right && *left < *right;
    }
    result.push_back(std::move(take_other ? others[i++] : named[j++]));
  }
  return result;
}

class StrategicMerger {
 public:
  const std::optional<ApiError>& error() const { return error_; }

  // REQUIRES: both are objects. The result means nothing after an error.
  Json merge_map(const Shape& shape, Json original, const Json& patch) {
    if (const Json* directive = patch.find(kDirective); directive != nullptr) {
      if (*directive == Json("replace")) {
        Json replaced = patch;
        replaced.erase(kDirective);
        return replaced;
      }
      if (*directive == Json("delete")) return Json::object();
      if (*directive != Json("merge"))
        return fail(
            concat("unknown patch type: ", go_text(*directive), " in map: ", go_text(patch)));
    }
    if (const Json* keys = patch.find(kRetainKeys); keys != nullptr)
      retain_keys(original, patch, *keys);
    std::unordered_set<std::string_view> done;
    set_element_orders(shape, original, patch, done);
    if (error_) return {};

    std::unordered_map<std::string, std::size_t> places;
    auto& members = original.mutable_members();
    for (std::size_t i = 0; i < members.size(); ++i) places.emplace(members[i].key, i);
    std::vector<bool> gone(members.size(), false);
    for (const auto& change : patch.members()) {
      if (error_) return {};
      if (done.count(change.key) != 0 || change.key == kDirective || change.key == kRetainKeys ||
          base::starts_with(change.key, kSetElementOrder))
        continue;
      apply_change(shape, change, members, places, gone);
    }
    Json result = Json::object();
    for (std::size_t i = 0; i < members.size(); ++i)
      if (i >= gone.size() || !gone[i]) result.mutable_members().push_back(std::move(members[i]));
    return result;
  }

 private:
  Json fail(std::string_view message) {
    if (!error_) error_ = internal_api_error(message);
    return {};
  }
  void fail_bad_request(std::string_view message) {
    if (!error_) error_ = bad_request_error(message);
  }
  void fail_unprocessable() {
    if (error_) return;
    error_.emplace();
    error_->reason = Reason::invalid;
    error_->code = default_http_code(Reason::invalid);
    error_->message = "the server rejected our request due to an error in our request";
  }

  // "$setElementOrder/containers" -> "containers".
  static std::optional<std::string_view> field_after(std::string_view key,
                                                     std::string_view directive) {
    if (key.size() <= directive.size() || key[directive.size()] != '/') return std::nullopt;
    return key.substr(directive.size() + 1);
  }

  void apply_change(const Shape& shape, const codec::JsonMember& change, Json::Object& members,
                    std::unordered_map<std::string, std::size_t>& places, std::vector<bool>& gone) {
    std::string_view key = change.key;
    const bool deletes_items = base::starts_with(key, kDeleteFromList);
    if (deletes_items) {
      auto field = field_after(key, kDeleteFromList);
      if (!field) return fail_bad_request("invalid patch format of primitive list");
      key = *field;
    }
    auto found = places.find(std::string(key));
    const bool present = found != places.end() && !gone[found->second];
    if (change.value.is_null()) {
      if (present) gone[found->second] = true;
      return;
    }
    const Json* before = present ? &members[found->second].value : nullptr;
    const bool same_type =
        before != nullptr && ((before->is_object() && change.value.is_object()) ||
                              (before->is_array() && change.value.is_array()));
    if (deletes_items && !same_type) return;
    Json value = change.value;
    if (same_type)
      value = value.is_object() ? merge_map(shape.member(key), *before, change.value)
                                : merge_list_of(shape, key, *before, change.value, deletes_items);
    else if (!strip_directives(value, true)) {
      if (present) gone[found->second] = true;
      return;
    }
    if (present) {
      members[found->second].value = std::move(value);
    } else {
      places[std::string(key)] = members.size();
      gone.push_back(false);
      members.push_back({std::string(key), std::move(value)});
    }
  }

  void retain_keys(Json& original, const Json& patch, const Json& keys) {
    if (!keys.is_array()) return fail_bad_request("invalid patch format of retainKeys");
    std::unordered_set<std::string_view> kept;
    for (const auto& key : keys.items()) kept.insert(key.as_string());
    for (const auto& member : patch.members())
      if (!member.value.is_null() && !is_directive(member.key) && kept.count(member.key) == 0)
        return fail_bad_request("invalid patch format of retainKeys");
    std::erase_if(original.mutable_members(),
                  [&](const auto& member) { return kept.count(member.key) == 0; });
  }

  static const FieldInfo* field_of(const Shape& shape, std::string_view key) {
    return shape.kind == ShapeKind::object && shape.type != nullptr ? find_field(*shape.type, key)
                                                                    : nullptr;
  }
  // The elements of a list, whether apply takes it as one leaf or not.
  static Shape element_of(const FieldInfo* field) {
    return field != nullptr && field->object != nullptr ? Shape::of_type(*field->object) : Shape{};
  }

  Json merge_list_of(const Shape& shape, std::string_view key, const Json& original,
                     const Json& patch, bool deletes_items) {
    const FieldInfo* field = field_of(shape, key);
    const bool merges = field != nullptr && field->is_list && field->patch_merge;
    if (!merges && !deletes_items) return patch;
    Items merged = merge_list(field, original.items(), patch.items(), deletes_items);
    Json result = Json::array();
    result.mutable_items() = std::move(merged);
    return result;
  }

  // False when the items are not all maps or all scalars.
  bool check_elements(const Items& original, const Items& patch, bool& are_maps) {
    bool first = true;
    for (const Items* items : {&original, &patch})
      for (const auto& item : *items) {
        if (item.is_array()) {
          fail_unprocessable();
          return false;
        }
        if (!first && item.is_object() != are_maps) {
          fail("list element types are not identical");
          return false;
        }
        are_maps = item.is_object();
        first = false;
      }
    return true;
  }

  Items merge_list(const FieldInfo* field, const Items& original, const Items& patch,
                   bool deletes_items) {
    bool are_maps = false;
    if (!check_elements(original, patch, are_maps)) return {};
    if (!are_maps) return merge_scalars(original, patch, deletes_items);
    std::string_view key = field == nullptr ? std::string_view() : field->patch_merge_key;
    if (key.empty()) {
      fail("cannot merge lists without merge key");
      return {};
    }
    return merge_maps(element_of(field), key, original, patch);
  }

  static Items merge_scalars(const Items& original, const Items& patch, bool deletes_items) {
    const Positions in_patch(patch, "");
    Items result;
    if (deletes_items) {
      for (const auto& item : original)
        if (!in_patch.find(item)) result.push_back(item);
      return result;
    }
    std::unordered_set<std::string> seen;
    for (const Items* items : {&original, &patch})
      for (const auto& item : *items)
        if (seen.insert(codec::write_json(item)).second) result.push_back(item);
    return in_order(std::move(result), patch, original, "");
  }

  Items merge_maps(const Shape& element, std::string_view key, const Items& original,
                   const Items& patch) {
    Items left, changes;
    std::unordered_set<std::string> deleted;
    bool replace = false;
    for (const auto& item : patch) {
      const Json* directive = item.find(kDirective);
      const bool deletes = directive != nullptr && *directive == Json("delete");
      const bool replaces = directive != nullptr && *directive == Json("replace");
      if (directive != nullptr && !deletes && !replaces && *directive != Json("merge")) {
        fail(concat("unknown patch type: ", go_text(*directive), " in map: ", go_text(item)));
        return {};
      }
      if (replaces) {
        replace = true;
        continue;
      }
      if (!item.contains(key)) {
        fail(concat("map: ", go_text(item), " does not contain declared merge key: ", key));
        return {};
      }
      if (deletes)
        deleted.insert(codec::write_json(item[key]));
      else
        changes.push_back(item);
    }
    if (replace) return changes;
    for (const auto& item : original)
      if (deleted.count(codec::write_json(item[key])) == 0) left.push_back(item);
    const Items server_order = left;
    Positions places(left, key);
    for (const auto& change : changes) {
      if (auto place = places.find(change)) {
        left[*place] = merge_map(element, std::move(left[*place]), change);
        if (error_) return {};
      } else {
        Json added = change;
        strip_directives(added, false);
        places.add(added, left.size());
        left.push_back(std::move(added));
      }
    }
    return in_order(std::move(left), changes, server_order, key);
  }

  // The lists whose order the patch sets; their fields are put into `done`.
  void set_element_orders(const Shape& shape, Json& original, const Json& patch,
                          std::unordered_set<std::string_view>& done) {
    for (const auto& member : patch.members()) {
      if (error_) return;
      if (!base::starts_with(member.key, kSetElementOrder)) continue;
      auto key = field_after(member.key, kSetElementOrder);
      if (!key || !member.value.is_array())
        return fail_bad_request("invalid patch format of setElementOrder list");
      const Json& list = std::as_const(original)[*key];
      const Json& changes = patch[*key];
      if ((!list.is_null() && !list.is_array()) || (!changes.is_null() && !changes.is_array())) {
        fail(concat("expected a []interface {}, but received a ",
                    list.is_array() || list.is_null() ? go_text(changes) : go_text(list)));
        return;
      }
      // A null deletes the list; a list that is nowhere has no order.
      if (patch.contains(*key) && changes.is_null()) continue;
      if (list.is_null() && changes.is_null()) continue;
      const FieldInfo* field = field_of(shape, *key);
      std::string_view merge_key = field == nullptr ? std::string_view() : field->patch_merge_key;
      if (!check_order(changes.items(), member.value.items(), merge_key)) return;
      Json merged = list.is_null() ? changes : list;
      if (list.is_null())
        strip_directives(merged, true);
      else if (!changes.is_null())
        merged = merge_list_of(shape, *key, list, changes, false);
      if (error_) return;
      Json ordered = Json::array();
      ordered.mutable_items() = in_order(std::move(merged.mutable_items()), member.value.items(),
                                         list.items(), merge_key);
      original.set(*key, std::move(ordered));
      done.insert(*key);
    }
  }

  // The items of a patch must come in the order that it sets.
  bool check_order(const Items& changes, const Items& order, std::string_view merge_key) {
    if (changes.empty() || order.empty()) return true;
    std::size_t at = 0;
    auto identity = [&](const Json& item) -> const Json& {
      return merge_key.empty() ? item : item[merge_key];
    };
    for (const auto& change : changes) {
      if (change.is_object() && change.contains(kDirective)) continue;
      while (at < order.size() && !(identity(order[at]) == identity(change))) ++at;
      if (at++ < order.size()) continue;
      Json patch_list = Json::array(), order_list = Json::array();
      patch_list.mutable_items() = changes;
      order_list.mutable_items() = order;
      fail(concat("The order in patch list:\n", go_text(patch_list), "\n doesn't match ",
                  kSetElementOrder, " list:\n", go_text(order_list), "\n"));
      return false;
    }
    return true;
  }

  std::optional<ApiError> error_;
};

}  // namespace

PatchResult apply_strategic_merge_patch(const TypeInfo& type, const Json& object,
                                        const Json& patch) {
  if (!patch.is_object()) return bad_request_error("invalid JSON document");
  StrategicMerger merger;
  Json base = object.is_object() ? object : Json::object();
  Json result = merger.merge_map(Shape::of_type(type), std::move(base), patch);
  if (merger.error()) return *merger.error();
  return result;
}

}  // namespace skiff::api
