#include "controllers/common/objects.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <cmath>

namespace skiff::controllers {

namespace {
bool is_terminal_phase(std::string_view phase) { return phase == "Succeeded" || phase == "Failed"; }
}  // namespace

bool is_pod_terminal(const Json& pod) {
  return is_terminal_phase(pod.at({"status", "phase"}).as_string());
}

bool is_pod_terminal(const api::ObjectSummary& pod) { return is_terminal_phase(pod.phase); }

bool is_pod_active(const Json& pod) { return !is_pod_terminal(pod) && !api::is_being_deleted(pod); }

bool is_pod_ready(const Json& pod) {
  return api::find_condition(pod, "Ready")["status"].as_string() == "True";
}

std::optional<base::WallTime> time_at(const Json& object,
                                      std::initializer_list<std::string_view> path) {
  auto time = base::parse_rfc3339(object.at(path).as_string());
  if (!time.is_ok()) return std::nullopt;
  return *time;
}

std::optional<base::WallTime> ready_since(const Json& pod) {
  return time_at(api::find_condition(pod, "Ready"), {"lastTransitionTime"});
}

bool is_pod_available(const Json& pod, std::int64_t min_ready_seconds, const base::AgeOf& age_of) {
  if (!is_pod_ready(pod)) return false;
  if (min_ready_seconds == 0) return true;
  auto since = ready_since(pod);
  return since && age_of(*since) >= std::chrono::seconds(min_ready_seconds);
}

Json controller_reference(const Json& owner, std::string_view api_version, std::string_view kind) {
  return Json::object({{"apiVersion", api_version},
                       {"kind", kind},
                       {"name", owner.at({"metadata", "name"})},
                       {"uid", owner.at({"metadata", "uid"})},
                       {"controller", true},
                       {"blockOwnerDeletion", true}});
}

bool is_controlled_by(const Json& object, const Json& owner) {
  return api::controller_of(object)["uid"].as_string() == api::uid_of(owner) &&
         !api::uid_of(owner).empty();
}

namespace {

Json owners_patch(const Json& object, Json owners) {
  Json metadata = Json::object({{"uid", object.at({"metadata", "uid"})},
                                {"resourceVersion", object.at({"metadata", "resourceVersion"})},
                                {"ownerReferences", std::move(owners)}});
  return Json::object({{"metadata", std::move(metadata)}});
}

}  // namespace

Json adoption_patch(const Json& object, Json reference) {
  Json owners = object.at({"metadata", "ownerReferences"});
  if (!owners.is_array()) owners = Json::array();
  owners.push_back(std::move(reference));
  return owners_patch(object, std::move(owners));
}

Json release_patch(const Json& object, std::string_view owner_uid) {
  Json owners = Json::array();
  for (const Json& owner : object.at({"metadata", "ownerReferences"}).items())
    if (owner["uid"].as_string() != owner_uid) owners.push_back(owner);
  return owners_patch(object, std::move(owners));
}

std::int64_t resolve_int_or_percent(const Json& value, std::int64_t total, bool round_up) {
  if (value.is_int()) return value.as_int();
  std::string_view text = value.as_string();
  if (!base::ends_with(text, "%")) return 0;
  std::int64_t percent = base::parse_int(text.substr(0, text.size() - 1)).value_or(0);
  double exact = static_cast<double>(percent) * static_cast<double>(total) / 100.0;
  return static_cast<std::int64_t>(round_up ? std::ceil(exact) : std::floor(exact));
}

namespace {

void write_canonical(const Json& value, std::string& out) {
  if (value.is_array()) {
    out += '[';
    for (const Json& item : value.items()) {
      write_canonical(item, out);
      out += ',';
    }
    out += ']';
    return;
  }
  if (!value.is_object()) return codec::write_json(value, out);
  std::vector<const codec::JsonMember*> members;
  for (const auto& member : value.members()) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return a->key < b->key; });
  out += '{';
  for (const auto* member : members) {
    if (member->value.is_null()) continue;
    codec::write_json_string(member->key, out);
    out += ':';
    write_canonical(member->value, out);
    out += ',';
  }
  out += '}';
}

Json* find_mutable(Json& conditions, std::string_view type) {
  if (!conditions.is_array()) conditions = Json::array();
  for (Json& condition : conditions.mutable_items())
    if (condition["type"].as_string() == type) return &condition;
  return nullptr;
}

}  // namespace

std::string canonical_text(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

const Json& condition_of(const Json& conditions, std::string_view type) {
  static const Json kNull;
  for (const Json& condition : conditions.items())
    if (condition["type"].as_string() == type) return condition;
  return kNull;
}

bool set_condition(Json& conditions, std::string_view type, std::string_view status,
                   std::string_view reason, std::string_view message, base::WallTime now) {
  Json* found = find_mutable(conditions, type);
  bool is_new = found == nullptr;
  if (is_new) {
    conditions.push_back(Json::object({{"type", type}}));
    found = &conditions.mutable_items().back();
  }
  bool same_status = !is_new && (*found)["status"].as_string() == status;
  bool same = same_status && (*found)["reason"].as_string() == reason &&
              (*found)["message"].as_string() == message;
  if (same) return false;
  found->set("status", status);
  if (!same_status) found->set("lastTransitionTime", base::format_rfc3339(now));
  found->set("reason", reason);
  found->set("message", message);
  return true;
}

bool remove_condition(Json& conditions, std::string_view type) {
  if (!conditions.is_array()) return false;
  auto& items = conditions.mutable_items();
  auto gone = std::remove_if(items.begin(), items.end(), [&](const Json& condition) {
    return condition["type"].as_string() == type;
  });
  bool found = gone != items.end();
  items.erase(gone, items.end());
  return found;
}

}  // namespace skiff::controllers
