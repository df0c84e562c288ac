#include <skiff/api/kind.h>
#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include "api/patch/managed_fields.h"
#include "api/patch/typed_value.h"

#include <algorithm>
#include <utility>

namespace skiff::api {

using base::concat;
using codec::Json;
using patch::Comparison;
using patch::FieldSet;
using patch::Manager;
using patch::Managers;
using patch::Path;
using patch::PathElement;
using patch::Shape;

namespace {

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::string_view kBeforeFirstApply = "before-first-apply";

Path fields_path(std::initializer_list<std::string_view> names) {
  Path path;
  for (auto name : names) path.push_back(PathElement::of_field(name));
  return path;
}

// What no manager ever owns.
const FieldSet& stripped_fields() {
  static const FieldSet set = [] {
    FieldSet fields;
    for (std::string_view name : {"apiVersion", "kind", "metadata"})
      fields.insert(fields_path({name}));
    for (std::string_view name : {"name", "namespace", "creationTimestamp", "selfLink", "uid",
                                  "clusterName", "generation", "managedFields", "resourceVersion"})
      fields.insert(fields_path({"metadata", name}));
    return fields;
  }();
  return set;
}

// The fields that a request through this endpoint does not change, so that nobody comes to own
// them there: status at the object itself, the rest at its status.
FieldSet ignored_fields(const TypeInfo& type, std::string_view subresource) {
  FieldSet ignored;
  if (subresource.empty()) {
    const FieldInfo* status = find_field(type, "status");
    if (status != nullptr && find_field(type, "spec") != nullptr)
      ignored.insert(fields_path({"status"}));
  } else if (subresource == "status") {
    ignored.insert(fields_path({"spec"}));
    if (type.kind == "Pod") {
      ignored.insert(fields_path({"metadata", "deletionTimestamp"}));
      ignored.insert(fields_path({"metadata", "ownerReferences"}));
    } else if (type.kind == "Deployment") {
      ignored.insert(fields_path({"metadata", "labels"}));
    }
  }
  return ignored;
}

struct Conflict {
  const Manager* manager;
  Path path;
};

ApiError conflicts_error(const std::vector<Conflict>& conflicts) {
  ApiError error;
  error.reason = Reason::conflict;
  error.code = default_http_code(error.reason);
  for (const auto& conflict : conflicts)
    error.causes.push_back({"FieldManagerConflict",
                            concat("conflict with ", conflict.manager->to_string()),
                            path_text(conflict.path)});
  if (conflicts.size() == 1) {
    error.message = concat("Apply failed with 1 conflict: conflict with ",
                           conflicts[0].manager->to_string(), ": ", path_text(conflicts[0].path));
    return error;
  }
  error.message = concat("Apply failed with ", conflicts.size(), " conflicts: ");
  const Manager* last = nullptr;
  for (const auto& conflict : conflicts) {
    if (last != nullptr) error.message += '\n';
    if (conflict.manager != last)
      error.message += concat("conflicts with ", conflict.manager->to_string(), ":\n");
    last = conflict.manager;
    error.message += concat("- ", path_text(conflict.path));
  }
  return error;
}

// Object members that are null mean absent; removing leaves some behind.
void drop_nulls(const Shape& shape, Json& value) {
  if (shape.is_list() && value.is_array()) {
    for (auto& item : value.mutable_items()) drop_nulls(shape.element(), item);
  } else if (shape.is_map_like() && value.is_object()) {
    auto& members = value.mutable_members();
    for (auto& member : members) drop_nulls(shape.member(member.key), member.value);
    std::erase_if(members, [](const auto& member) { return member.value.is_null(); });
  }
}

void erase_managed_fields(Json& object) {
  if (Json* metadata = object.find("metadata"); metadata != nullptr && metadata->is_object())
    metadata->erase("managedFields");
}

void set_managed_fields(Json& object, const Managers& managers) {
  Json entries = managers.encode();
  if (entries.is_null())
    erase_managed_fields(object);
  else
    object["metadata"].set("managedFields", std::move(entries));
}

// Tracks who owns what while one request changes an object.
class Updater {
 public:
  Updater(const TypeInfo& type, const ApplyOptions& options)
      : type_(type),
        shape_(Shape::of_type(type)),
        options_(options),
        ignored_(ignored_fields(type, options.subresource)),
        now_(base::format_rfc3339(options.now)) {}

  Manager self(std::string_view name, bool applied) const {
    Manager manager;
    manager.name = name.empty() ? "unknown" : std::string(name);
    manager.subresource = options_.subresource;
    manager.api_version = options_.api_version;
    manager.applied = applied;
    return manager;
  }

  // The owner of every changed leaf becomes `name`. REQUIRES: no managedFields in `changed`.
  void update(const Json& live, const Json& changed, Managers& managers, std::string_view name) {
    drop_unknown_versions(managers);
    Comparison difference = compare(live, changed);
    for (auto& manager : managers.list()) take_away(difference, manager);
    managers.drop_empty();
    FieldSet fields = std::move(difference.modified);
    fields.add(std::move(difference.added));
    fields.subtract(difference.removed);
    fields.subtract(stripped_fields());
    if (!fields.empty()) {
      Manager owner = self(name, false);
      Manager* known = managers.find(owner);
      if (known == nullptr) {
        managers.list().push_back(std::move(owner));
        known = &managers.list().back();
      }
      known->fields.add(std::move(fields));
      known->time = now_;
    }
    managers.cap_updaters();
  }

  // The merged object, its managers in `managers`, or the conflicts.
  PatchResult apply(const Json& live, const Json& applied, Managers& managers, bool force) {
    drop_unknown_versions(managers);
    Json merged = patch::merge_values(shape_, live, applied);
    Manager owner = self(options_.manager, true);
    FieldSet last;
    bool is_new = true;
    if (Manager* known = managers.find(owner); known != nullptr) {
      last = known->fields;
      owner.time = known->time;
      is_new = false;
    }
    owner.fields = patch::to_field_set(shape_, applied);
    owner.fields.subtract_below(ignored_);
    const FieldSet kept = union_of_others(managers, owner).union_with(owner.fields);
    if (!last.empty()) merged = prune(merged, last, kept);
    drop_nulls(shape_, merged);

    const Comparison difference = compare(live, merged);
    std::vector<Conflict> conflicts = find_conflicts(difference, managers, owner);
    if (!force && !conflicts.empty()) {
      last_conflicts_ = conflicts;
      return conflicts_error(conflicts);
    }
    for (auto& manager : managers.list())
      if (!manager.is_same(owner)) take_away(difference, manager);
    owner.fields.subtract(stripped_fields());
    if (is_new || merged != live) owner.time = now_;
    std::erase_if(managers.list(), [&](const Manager& m) { return m.is_same(owner); });
    managers.list().push_back(std::move(owner));
    managers.drop_empty();
    return merged;
  }

  // Of the last apply that failed; they point into its managers.
  const std::vector<Conflict>& last_conflicts() const { return last_conflicts_; }
  const Shape& shape() const { return shape_; }

 private:
  bool is_other_version(const Manager& manager) const {
    return manager.api_version != options_.api_version;
  }

  Comparison compare(const Json& before, const Json& after) const {
    Comparison difference = patch::compare_values(shape_, before, after);
    difference.added.subtract_below(ignored_);
    difference.removed.subtract_below(ignored_);
    difference.modified.subtract_below(ignored_);
    return difference;
  }

  void take_away(const Comparison& difference, Manager& manager) const {
    if (is_other_version(manager)) return;  // its paths are of another shape
    manager.fields.subtract(difference.modified);
    manager.fields.subtract(difference.added);
    manager.fields.subtract(difference.removed);
  }

  // Versions that are served no more have no meaning.
  void drop_unknown_versions(Managers& managers) const {
    std::erase_if(managers.list(), [&](const Manager& manager) {
      if (!is_other_version(manager)) return false;
      ApiVersion version = split_api_version(manager.api_version);
      return find_kind(version.group, version.version, type_.kind) == nullptr;
    });
  }

  FieldSet union_of_others(const Managers& managers, const Manager& owner) const {
    FieldSet fields;
    for (const auto& manager : managers.list())
      if (!manager.is_same(owner) && !is_other_version(manager)) fields.add(manager.fields);
    return fields;
  }

  std::vector<Conflict> find_conflicts(const Comparison& difference, const Managers& managers,
                                       const Manager& owner) const {
    const FieldSet changed = difference.modified.union_with(difference.added);
    std::vector<const Manager*> sorted;
    for (const auto& manager : managers.list())
      if (!manager.is_same(owner) && !is_other_version(manager)) sorted.push_back(&manager);
    std::sort(sorted.begin(), sorted.end(),
              [](const Manager* a, const Manager* b) { return a->to_string() < b->to_string(); });
    std::vector<Conflict> conflicts;
    for (const Manager* manager : sorted)
      manager->fields.intersection(changed).for_each([&](const Path& path) {
        conflicts.push_back({manager, path});
      });
    return conflicts;
  }

  // Removes what the manager applied last time, not this time, and nobody else owns.
  Json prune(const Json& merged, const FieldSet& last, const FieldSet& kept) const {
    auto named = [&](const FieldSet& set) { return patch::with_named_fields(set, shape_); };
    const FieldSet last_named = named(last);
    const FieldSet merged_set = named(patch::to_field_set(shape_, merged));
    Json pruned = patch::remove_items(shape_, merged, last_named);
    FieldSet pruned_set = named(patch::to_field_set(shape_, pruned));
    // What others own comes back.
    pruned = patch::remove_items(shape_, merged,
                                 merged_set.difference(pruned_set.union_with(named(kept))));
    // What the manager did not own stays.
    pruned_set = named(patch::to_field_set(shape_, pruned));
    return patch::remove_items(shape_, merged,
                               merged_set.difference(pruned_set).intersection(last_named));
  }

  const TypeInfo& type_;
  const Shape shape_;
  const ApplyOptions& options_;
  const FieldSet ignored_;
  const std::string now_;
  std::vector<Conflict> last_conflicts_;
};

// The fields that kubectl's client-side apply set and nobody changed since: kubectl may take them
// over without a conflict.
FieldSet allowed_from_last_applied(const Updater& updater, const Json& live,
                                   std::string_view api_version) {
  const auto last = codec::parse_json(live["metadata"]["annotations"][kLastApplied].as_string());
  if (!last.is_ok() || (*last)["apiVersion"].as_string() != api_version) return {};
  const Comparison difference = patch::compare_values(updater.shape(), *last, live);
  FieldSet allowed = patch::to_field_set(updater.shape(), *last);
  allowed.subtract(difference.modified);
  allowed.subtract(difference.added);
  allowed.subtract(difference.removed);
  return allowed;
}

PatchResult apply_as_kubectl(Updater& updater, const Json& live, const Json& applied,
                             const Managers& before, Managers& managers,
                             const ApplyOptions& options) {
  PatchResult result = updater.apply(live, applied, managers, options.force);
  if (options.manager != "kubectl" || std::holds_alternative<Json>(result)) return result;
  const FieldSet allowed = allowed_from_last_applied(updater, live, options.api_version);
  if (allowed.empty()) return result;
  std::vector<Conflict> left;
  for (const auto& conflict : updater.last_conflicts())
    if (!allowed.has(conflict.path)) left.push_back(conflict);
  if (!left.empty()) return conflicts_error(left);
  managers = before;
  return updater.apply(live, applied, managers, true);
}

ApiError bad_apply(const TypeInfo& type, const Json& applied,
                   const std::vector<std::string>& defects) {
  const Json& metadata = applied["metadata"];
  std::string message =
      concat("failed to create typed patch object (", metadata["namespace"].as_string(), "/",
             metadata["name"].as_string(), "; ", applied["apiVersion"].as_string(),
             ", Kind=", type.kind, "): ");
  message += defects.size() == 1 ? defects[0] : "errors:\n  " + base::join(defects, "\n  ");
  return bad_request_error(message);
}

// Keeps kubectl's own annotation true where it is there.
void update_last_applied(const Json& applied, Json& object) {
  if (std::as_const(object).at({"metadata", "annotations", kLastApplied}).as_string().empty())
    return;
  Json config = applied;
  if (Json* metadata = config.find("metadata"); metadata != nullptr && metadata->is_object())
    if (Json* annotations = metadata->find("annotations");
        annotations != nullptr && annotations->is_object()) {
      annotations->erase(kLastApplied);
      if (annotations->empty()) metadata->erase("annotations");
    }
  object["metadata"]["annotations"].set(kLastApplied, codec::write_json(config) + "\n");
}

bool is_reset(const Json& managed_fields) {
  if (!managed_fields.is_array()) return false;
  if (managed_fields.empty()) return true;
  const Json& first = managed_fields.item(0);
  return managed_fields.size() == 1 && first.is_object() && first.empty();
}

Managers managers_or_none(const Json& managed_fields) {
  auto managers = Managers::decode(managed_fields);
  return managers.is_ok() ? std::move(*managers) : Managers();
}

// The managers that an update starts from: those that the request sets, else those of the object.
Managers managers_for_update(const Json& live, const Json& changed, std::string_view subresource) {
  const Json& sent = changed["metadata"]["managedFields"];
  const Json& kept = live["metadata"]["managedFields"];
  if (!subresource.empty()) return managers_or_none(kept);
  if (is_reset(sent)) return {};
  auto managers = Managers::decode(sent);
  if (managers.is_ok() && !managers->empty()) return std::move(*managers);
  return managers_or_none(kept);
}

}  // namespace

PatchResult server_side_apply(const TypeInfo& type, const Json& live, const Json& applied,
                              const ApplyOptions& options) {
  if (applied["apiVersion"].as_string() != options.api_version)
    return bad_request_error(
        concat("Incorrect version specified in apply patch. Specified patch "
               "version: ",
               applied["apiVersion"].as_string(), ", expected: ", options.api_version));
  if (!applied["metadata"]["managedFields"].is_null())
    return bad_request_error("metadata.managedFields must be nil");
  Updater updater(type, options);
  if (auto defects = check_typed(updater.shape(), applied); !defects.empty())
    return bad_apply(type, applied, defects);
  auto decoded = Managers::decode(live["metadata"]["managedFields"]);
  if (!decoded.is_ok())
    return internal_api_error(
        concat("failed to decode managed fields: ", decoded.status().message()));
  Managers managers = std::move(*decoded);
  Json base = live.is_null() ? Json::object() : live;
  erase_managed_fields(base);
  if (managers.empty() && !live.is_null())
    updater.update(Json::object(), base, managers, kBeforeFirstApply);
  const Managers before = managers;
  PatchResult result = apply_as_kubectl(updater, base, applied, before, managers, options);
  auto* object = std::get_if<Json>(&result);
  if (object == nullptr) return result;
  if (options.manager == "kubectl") update_last_applied(applied, *object);
  set_managed_fields(*object, managers);
  return result;
}

void track_update(const TypeInfo& type, const Json& live, Json& changed,
                  const ApplyOptions& options) {
  if (!std::as_const(changed)["metadata"].is_object()) return;
  static const Json kNothing = Json::object();
  Managers managers = managers_for_update(live, changed, options.subresource);
  erase_managed_fields(changed);
  // An object that nobody tracks stays so until it is applied.
  if (!managers.empty() || live.is_null())
    Updater(type, options)
        .update(live.is_null() ? kNothing : live, changed, managers, options.manager);
  set_managed_fields(changed, managers);
}

}  // namespace skiff::api
