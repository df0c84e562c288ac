// metadata.managedFields as sets, and back.
#pragma once

#include "api/patch/field_set.h"

#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::api::patch {

struct Manager {
  std::string name;
  std::string subresource;
  std::string api_version;
  bool applied = false;  // operation Apply
  std::string time;      // RFC 3339; empty without
  FieldSet fields;

  // Whether both are one manager: an applier has one entry for all versions.
  bool is_same(const Manager& other) const;
  // `"kubectl" using apps/v1`, as conflicts name it.
  std::string to_string() const;
};

// Thread-compatible.
class Managers {
 public:
  // Errors for entries that upstream refuses to decode.
  static base::Result<Managers> decode(const codec::Json& managed_fields);
  // Sorted as upstream sorts; null when there is none.
  codec::Json encode() const;

  bool empty() const { return list_.empty(); }
  std::vector<Manager>& list() { return list_; }
  const std::vector<Manager>& list() const { return list_; }
  Manager* find(const Manager& identity);
  // Removes managers that own nothing.
  void drop_empty();
  // Merges the oldest updaters of each version until at most kUpdateManagersMax are left.
  void cap_updaters();

 private:
  std::vector<Manager> list_;
};

}  // namespace skiff::api::patch
