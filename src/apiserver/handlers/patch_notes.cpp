#include "apiserver/handlers/patch_notes.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <set>

namespace skiff::apiserver {

using codec::Json;

namespace {

// As Go's %v prints a tree of maps and slices: "map[a:1 b:[x y]]".
void go_print(const Json& value, std::string& out) {
  if (value.is_object()) {
    std::vector<const codec::JsonMember*> members;
    for (const auto& member : value.members()) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->key < b->key; });
    out += "map[";
    for (const auto* member : members) {
      if (member != members.front()) out += ' ';
      out += member->key;
      out += ':';
      go_print(member->value, out);
    }
    out += ']';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& item : value.items()) {
      if (!first) out += ' ';
      first = false;
      go_print(item, out);
    }
    out += ']';
  } else if (value.is_string()) {
    out += value.as_string();
  } else if (value.is_null()) {
    out += "<nil>";
  } else {
    codec::write_json(value, out);
  }
}

bool is_operation_field(std::string_view name) {
  return name == "op" || name == "path" || name == "from" || name == "value";
}

std::vector<std::string> operation_notes(const Json& patch,
                                         const std::vector<std::string>& duplicates) {
  std::vector<std::string> notes;
  std::set<std::string> twice(duplicates.begin(), duplicates.end());
  auto note = [&notes](std::string_view what, const std::string& path) {
    notes.push_back(base::concat("json patch ", what, " field ", base::quote(path)));
  };
  std::size_t index = 0;
  for (const Json& operation : patch.items()) {
    const std::string place = base::concat("[", index++, "].");
    for (const auto& member : operation.members()) {
      std::string path = place + member.key;
      bool is_twice = twice.erase(path) > 0;
      if (!is_operation_field(member.key)) {
        note("unknown", path);
      } else if (is_twice) {
        note("duplicate", path);
      }
    }
  }
  for (const std::string& path : twice) note("duplicate", path);
  return notes;
}

}  // namespace

std::vector<std::string> patch_notes(PatchKind kind, const Json& patch,
                                     const std::vector<std::string>& duplicates) {
  if (kind == PatchKind::json) return operation_notes(patch, duplicates);
  std::vector<std::string> notes;
  for (const std::string& path : duplicates)
    notes.push_back(base::concat("duplicate field ", base::quote(path)));
  return notes;
}

api::ApiError strict_patch_error(PatchKind kind, const Json& patch, const Json& patched,
                                 const std::vector<std::string>& notes) {
  std::string shown;
  if (kind == PatchKind::strategic)
    go_print(patch, shown);
  else
    codec::write_json(patched, shown);
  std::string detail = base::concat("Invalid value: ", base::quote(shown),
                                    ": strict decoding error: ", base::join(notes, ", "));
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.message = base::concat(" \"\" is invalid: patch: ", detail);
  error.causes.push_back({"FieldValueInvalid", std::move(detail), "patch"});
  return error;
}

}  // namespace skiff::apiserver
