// Sets of field paths and their text form, FieldsV1 (KEP-555).
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api::patch {

// One step of a path. Ordered as upstream orders them: fields, keys, values, indexes.
struct PathElement {
  enum class Type : unsigned char { field, key, value, index };
  Type type = Type::field;
  std::string name;   // of a field
  codec::Json value;  // key: an object with sorted members; value: a scalar; index: an integer

  static PathElement of_field(std::string_view name);
  static PathElement of_key(codec::Json key);  // sorts the members
  static PathElement of_value(codec::Json value);
  // "f:spec", "k:{…}", "v:1", "i:0". Unknown types are unimplemented, defects invalid_argument.
  static base::Result<PathElement> parse(std::string_view text);
  std::string to_fields_v1() const;
  // ".spec", "[name=\"x\"]", "[=1]", "[0]".
  std::string to_string() const;

  int compare(const PathElement& other) const;
  bool operator==(const PathElement& other) const { return compare(other) == 0; }
  bool operator<(const PathElement& other) const { return compare(other) < 0; }
};

using Path = std::vector<PathElement>;
std::string path_text(const Path& path);

struct FieldSetNode;

// A set of paths as a tree. A node that is no member and has no children does not exist.
// Thread-compatible.
class FieldSet {
 public:
  bool empty() const { return nodes_.empty(); }
  const std::vector<FieldSetNode>& nodes() const { return nodes_; }
  std::vector<FieldSetNode>& mutable_nodes() { return nodes_; }

  void insert(const Path& path);  // the empty path is no member of anything
  bool has(const Path& path) const;
  const FieldSetNode* find(const PathElement& element) const;
  // The node, made when it is not there.
  FieldSetNode& descend(const PathElement& element);

  void add(FieldSet other);
  // Takes out the members of `other`.
  void subtract(const FieldSet& other);
  // Takes out the members of `other` and everything below them.
  void subtract_below(const FieldSet& other);
  FieldSet union_with(FieldSet other) const;
  FieldSet difference(const FieldSet& other) const;
  FieldSet intersection(const FieldSet& other) const;
  void for_each(const std::function<void(const Path&)>& visit) const;

  codec::Json to_fields_v1() const;
  static base::Result<FieldSet> parse(const codec::Json& fields_v1);
  // Of nodes in any order, each with an element of its own.
  static FieldSet of_nodes(std::vector<FieldSetNode> nodes);

  friend bool operator==(const FieldSet& a, const FieldSet& b);

 private:
  // Calls `change(ours, theirs)` for every element of both, and drops what is nothing then.
  template <class Change>
  void change_shared(const FieldSet& other, Change&& change);

  std::vector<FieldSetNode> nodes_;  // sorted
};

struct FieldSetNode {
  PathElement element;
  bool is_member = false;
  FieldSet children;

  bool is_nothing() const { return !is_member && children.empty(); }
};

}  // namespace skiff::api::patch
