// Reading and writing what every object has, and the form in which objects are stored.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

// metadata.* of a tree; views live as long as the tree.
std::string_view name_of(const codec::Json& object);
std::string_view namespace_of(const codec::Json& object);
std::string_view uid_of(const codec::Json& object);
std::string_view resource_version_of(const codec::Json& object);
std::string_view label(const codec::Json& object, std::string_view key);
std::string_view annotation(const codec::Json& object, std::string_view key);
bool is_being_deleted(const codec::Json& object);
bool has_finalizer(const codec::Json& object, std::string_view finalizer);
// The owner with controller: true; null JSON without.
const codec::Json& controller_of(const codec::Json& object);
// "namespace/name", or "name" for a cluster-scoped object.
std::string object_key(const codec::Json& object);

// The condition of a type in status.conditions; null JSON without.
const codec::Json& find_condition(const codec::Json& object, std::string_view type);

// An object as the store keeps it: JSON text without metadata.resourceVersion, which is spliced in
// where the text is sent. Immutable, shared.
class StoredObject {
 public:
  StoredObject() = default;
  StoredObject(base::SharedBytes stored, std::uint64_t revision)
      : stored_(std::move(stored)), revision_(revision) {}

  // Serialises `object` for the store; its resourceVersion is left out.
  // REQUIRES: an object with metadata.
  static base::SharedBytes encode(const codec::Json& object);

  bool empty() const { return stored_.empty(); }
  const base::SharedBytes& stored() const { return stored_; }
  std::uint64_t revision() const { return revision_; }

  // The JSON text without the resourceVersion, for scanning.
  std::string_view text() const;
  // The text to send in three parts: before the resourceVersion member, after it. The middle is
  // `"resourceVersion":"<revision>",`.
  std::string_view json_before() const;
  std::string_view json_after() const;
  std::string to_json_text() const;
  void append_json_text(std::string& out) const;
  // The tree, with resourceVersion set. Stored text is ours: a defect in it is data_loss.
  base::Result<codec::Json> parse() const;

  // Found by scanning the text, without a tree; empty when absent.
  std::string_view name() const;
  std::string_view namespace_name() const;
  std::string_view uid() const;

 private:
  base::SharedBytes stored_;
  std::uint64_t revision_ = 0;
};

// The string at a path of member names, found by scanning JSON text without building a tree.
// nullopt when absent or no string; escapes are decoded.
std::optional<std::string> scan_string(std::string_view json,
                                       std::initializer_list<std::string_view> path);
// All string members of the object at the path (labels, annotations).
std::vector<std::pair<std::string, std::string>> scan_string_map(
    std::string_view json, std::initializer_list<std::string_view> path);

}  // namespace skiff::api
