#include "api/patch/field_set.h"

#include <skiff/base/strings.h>

#include "api/limits.h"

#include <algorithm>
#include <iterator>

namespace skiff::api::patch {

using base::concat;
using codec::Json;

namespace {

template <class T>
int three_way(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int rank_of(const Json& value) {
  if (value.is_number()) return 0;
  if (value.is_string()) return 1;
  if (value.is_bool()) return 2;
  if (value.is_array()) return 3;
  return value.is_object() ? 4 : 5;
}

int compare_values(const Json& a, const Json& b) {
  if (int order = three_way(rank_of(a), rank_of(b)); order != 0) return order;
  if (a.is_int() && b.is_int()) return three_way(a.as_int(), b.as_int());
  if (a.is_number()) return three_way(a.as_double(), b.as_double());
  if (a.is_string()) return three_way(a.as_string(), b.as_string());
  if (a.is_bool()) return three_way(a.as_bool(), b.as_bool());
  return three_way(codec::write_json(a), codec::write_json(b));
}

int compare_keys(const Json& a, const Json& b) {
  const auto& left = a.members();
  const auto& right = b.members();
  for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
    if (int order = three_way(left[i].key, right[i].key); order != 0) return order;
    if (int order = compare_values(left[i].value, right[i].value); order != 0) return order;
  }
  return three_way(left.size(), right.size());
}

std::string value_text(const Json& value) {
  return value.is_string() ? base::quote(value.as_string()) : codec::write_json(value);
}

auto place_of(auto from, auto end, const PathElement& element) {
  return std::lower_bound(from, end, element, [](const FieldSetNode& node, const PathElement& e) {
    return node.element < e;
  });
}

base::Result<FieldSet> parse_set(const Json& fields, std::size_t depth) {
  if (!fields.is_object()) return base::invalid_argument("fieldsV1 has a value that is no object");
  if (depth > kFieldSetDepthMax) return base::invalid_argument("fieldsV1 nests too deeply");
  FieldSet set;
  for (const auto& member : fields.members()) {
    if (member.key == ".") continue;
    auto element = PathElement::parse(member.key);
    if (element.code() == base::Code::unimplemented) continue;
    if (!element.is_ok()) return element.status();
    auto children = parse_set(member.value, depth + 1);
    if (!children.is_ok()) return children.status();
    // A node that holds nothing is a member, and one that says so.
    const bool is_member = children->empty() || member.value.contains(".");
    FieldSetNode& node = set.descend(*element);
    node.is_member = node.is_member || is_member;
    node.children.add(std::move(*children));
  }
  return set;
}

}  // namespace

PathElement PathElement::of_field(std::string_view name) {
  PathElement element;
  element.name = name;
  return element;
}

PathElement PathElement::of_key(Json key) {
  PathElement element;
  element.type = Type::key;
  auto& members = key.mutable_members();
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  element.value = std::move(key);
  return element;
}

PathElement PathElement::of_value(Json value) {
  PathElement element;
  element.type = Type::value;
  element.value = std::move(value);
  return element;
}

base::Result<PathElement> PathElement::parse(std::string_view text) {
  if (text.size() < 2) return base::invalid_argument("key must be 2 characters long:");
  if (text[1] != ':') return base::invalid_argument(concat("missing colon: ", text));
  std::string_view rest = text.substr(2);
  switch (text[0]) {
    case 'f': return of_field(rest);
    case 'v': {
      SKIFF_ASSIGN_OR_RETURN(Json value, codec::parse_json(rest));
      return of_value(std::move(value));
    }
    case 'k': {
      SKIFF_ASSIGN_OR_RETURN(Json key, codec::parse_json(rest));
      if (!key.is_object()) return base::invalid_argument("a key of fieldsV1 is no object");
      return of_key(std::move(key));
    }
    case 'i': {
      auto number = base::parse_int(rest);
      if (!number) return base::invalid_argument("an index of fieldsV1 is no integer");
      PathElement element;
      element.type = Type::index;
      element.value = Json(static_cast<long long>(*number));
      return element;
    }
    default: return base::Status(base::Code::unimplemented, "unknown path element type");
  }
}

std::string PathElement::to_fields_v1() const {
  switch (type) {
    case Type::field: return "f:" + name;
    case Type::key: return "k:" + codec::write_json(value);
    case Type::value: return "v:" + codec::write_json(value);
    case Type::index: return "i:" + codec::write_json(value);
  }
  return {};
}

std::string PathElement::to_string() const {
  switch (type) {
    case Type::field: return "." + name;
    case Type::value: return concat("[=", value_text(value), "]");
    case Type::index: return concat("[", value_text(value), "]");
    case Type::key: break;
  }
  std::string text = "[";
  for (const auto& member : value.members()) {
    if (text.size() > 1) text += ',';
    text += concat(member.key, "=", value_text(member.value));
  }
  return text + "]";
}

int PathElement::compare(const PathElement& other) const {
  if (type != other.type) return three_way(type, other.type);
  if (type == Type::field) return three_way(name, other.name);
  return type == Type::key ? compare_keys(value, other.value) : compare_values(value, other.value);
}

std::string path_text(const Path& path) {
  std::string text;
  for (const auto& element : path) text += element.to_string();
  return text;
}

void FieldSet::insert(const Path& path) {
  FieldSet* set = this;
  FieldSetNode* node = nullptr;
  for (const auto& element : path) {
    node = &set->descend(element);
    set = &node->children;
  }
  if (node != nullptr) node->is_member = true;
}

bool FieldSet::has(const Path& path) const {
  const FieldSet* set = this;
  const FieldSetNode* node = nullptr;
  for (const auto& element : path) {
    node = set->find(element);
    if (node == nullptr) return false;
    set = &node->children;
  }
  return node != nullptr && node->is_member;
}

const FieldSetNode* FieldSet::find(const PathElement& element) const {
  auto it = place_of(nodes_.begin(), nodes_.end(), element);
  return it != nodes_.end() && it->element == element ? &*it : nullptr;
}

FieldSetNode& FieldSet::descend(const PathElement& element) {
  auto it = place_of(nodes_.begin(), nodes_.end(), element);
  if (it == nodes_.end() || !(it->element == element))
    it = nodes_.insert(it, FieldSetNode{element, false, {}});
  return *it;
}

void FieldSet::add(FieldSet other) {
  if (nodes_.empty() || other.nodes_.empty()) {
    if (nodes_.empty()) nodes_ = std::move(other.nodes_);
    return;
  }
  std::vector<FieldSetNode> both;
  both.reserve(nodes_.size() + other.nodes_.size());
  auto theirs = other.nodes_.begin();
  for (auto& ours : nodes_) {
    while (theirs != other.nodes_.end() && theirs->element < ours.element)
      both.push_back(std::move(*theirs++));
    if (theirs != other.nodes_.end() && theirs->element == ours.element) {
      ours.is_member = ours.is_member || theirs->is_member;
      ours.children.add(std::move(theirs->children));
      ++theirs;
    }
    both.push_back(std::move(ours));
  }
  std::move(theirs, other.nodes_.end(), std::back_inserter(both));
  nodes_ = std::move(both);
}

template <class Change>
void FieldSet::change_shared(const FieldSet& other, Change&& change) {
  bool is_some_nothing = false;
  auto from = nodes_.begin();
  for (const auto& theirs : other.nodes_) {
    from = place_of(from, nodes_.end(), theirs.element);
    if (from == nodes_.end()) break;
    if (!(from->element == theirs.element)) continue;
    change(*from, theirs);
    is_some_nothing = is_some_nothing || from->is_nothing();
  }
  if (is_some_nothing) std::erase_if(nodes_, [](const auto& node) { return node.is_nothing(); });
}

void FieldSet::subtract(const FieldSet& other) {
  change_shared(other, [](FieldSetNode& ours, const FieldSetNode& theirs) {
    ours.is_member = ours.is_member && !theirs.is_member;
    ours.children.subtract(theirs.children);
  });
}

void FieldSet::subtract_below(const FieldSet& other) {
  change_shared(other, [](FieldSetNode& ours, const FieldSetNode& theirs) {
    if (theirs.is_member)
      ours = {std::move(ours.element), false, {}};
    else
      ours.children.subtract_below(theirs.children);
  });
}

FieldSet FieldSet::union_with(FieldSet other) const {
  other.add(*this);
  return other;
}

FieldSet FieldSet::difference(const FieldSet& other) const {
  FieldSet result = *this;
  result.subtract(other);
  return result;
}

FieldSet FieldSet::intersection(const FieldSet& other) const {
  FieldSet result;
  auto from = other.nodes_.begin();
  for (const auto& ours : nodes_) {
    from = place_of(from, other.nodes_.end(), ours.element);
    if (from == other.nodes_.end()) break;
    if (!(from->element == ours.element)) continue;
    FieldSetNode node{ours.element, ours.is_member && from->is_member,
                      ours.children.intersection(from->children)};
    if (!node.is_nothing()) result.nodes_.push_back(std::move(node));
  }
  return result;
}

namespace {

void visit_set(const FieldSet& set, Path& path, const std::function<void(const Path&)>& visit) {
  for (const auto& node : set.nodes()) {
    path.push_back(node.element);
    if (node.is_member) visit(path);
    visit_set(node.children, path, visit);
    path.pop_back();
  }
}

}  // namespace

void FieldSet::for_each(const std::function<void(const Path&)>& visit) const {
  Path path;
  visit_set(*this, path, visit);
}

Json FieldSet::to_fields_v1() const {
  Json fields = Json::object();
  auto& members = fields.mutable_members();
  members.reserve(nodes_.size());
  for (const auto& node : nodes_) {
    Json value = node.children.to_fields_v1();
    if (node.is_member && !node.children.empty()) {
      auto& inner = value.mutable_members();
      inner.insert(inner.begin(), codec::JsonMember{".", Json::object()});
    }
    members.push_back({node.element.to_fields_v1(), std::move(value)});
  }
  return fields;
}

base::Result<FieldSet> FieldSet::parse(const Json& fields_v1) {
  if (fields_v1.is_null()) return FieldSet();
  return parse_set(fields_v1, 0);
}

FieldSet FieldSet::of_nodes(std::vector<FieldSetNode> nodes) {
  auto before = [](const FieldSetNode& a, const FieldSetNode& b) { return a.element < b.element; };
  if (!std::is_sorted(nodes.begin(), nodes.end(), before))
    std::sort(nodes.begin(), nodes.end(), before);
  FieldSet set;
  set.nodes_ = std::move(nodes);
  return set;
}

bool operator==(const FieldSet& a, const FieldSet& b) {
  return std::equal(a.nodes_.begin(), a.nodes_.end(), b.nodes_.begin(), b.nodes_.end(),
                    [](const FieldSetNode& x, const FieldSetNode& y) {
                      return x.element == y.element && x.is_member == y.is_member &&
                             x.children == y.children;
                    });
}

}  // namespace skiff::api::patch
