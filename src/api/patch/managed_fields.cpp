#include "api/patch/managed_fields.h"

#include <skiff/base/clock.h>
#include <skiff/base/strings.h>

#include "api/limits.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace skiff::api::patch {

using base::concat;
using base::quote;
using codec::Json;

namespace {

constexpr std::string_view kAncientChanges = "ancient-changes";

std::int64_t seconds_of(const Manager& manager) {
  if (manager.time.empty()) return 0;
  auto time = base::parse_rfc3339(manager.time);
  return time.is_ok() ? time->unix_seconds() : 0;
}

}  // namespace

bool Manager::is_same(const Manager& other) const {
  return name == other.name && subresource == other.subresource && applied == other.applied &&
         (applied || api_version == other.api_version);
}

std::string Manager::to_string() const {
  std::string text = quote(name);
  if (!subresource.empty()) text += concat(" with subresource ", quote(subresource));
  if (!applied) text += concat(" using ", api_version);
  return text;
}

base::Result<Managers> Managers::decode(const Json& managed_fields) {
  Managers managers;
  const auto& entries = managed_fields.items();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Json& entry = entries[i];
    std::string_view operation = entry["operation"].as_string();
    std::string_view type = entry["fieldsType"].as_string();
    if (operation != "Apply" && operation != "Update")
      return base::invalid_argument("operation must be `Apply` or `Update`");
    if (entry["apiVersion"].as_string().empty())
      return base::invalid_argument("apiVersion must not be empty");
    if (type.empty())
      return base::invalid_argument(concat("missing fieldsType in managed fields entry ", i));
    if (type != "FieldsV1")
      return base::invalid_argument(
          concat("invalid fieldsType ", quote(type), " in managed fields entry ", i));
    Manager manager;
    manager.name = entry["manager"].as_string();
    manager.subresource = entry["subresource"].as_string();
    manager.api_version = entry["apiVersion"].as_string();
    manager.applied = operation == "Apply";
    manager.time = entry["time"].as_string();
    SKIFF_ASSIGN_OR_RETURN(manager.fields, FieldSet::parse(entry["fieldsV1"]));
    // The last entry of a manager wins.
    if (Manager* before = managers.find(manager); before != nullptr)
      *before = std::move(manager);
    else
      managers.list_.push_back(std::move(manager));
  }
  return managers;
}

Json Managers::encode() const {
  if (list_.empty()) return {};
  std::vector<const Manager*> sorted;
  for (const auto& manager : list_) sorted.push_back(&manager);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Manager* a, const Manager* b) {
    auto rank = [](const Manager& m) {
      return std::tuple(!m.applied, seconds_of(m), std::string_view(m.name),
                        std::string_view(m.api_version), std::string_view(m.subresource));
    };
    return rank(*a) < rank(*b);
  });
  Json entries = Json::array();
  for (const Manager* manager : sorted) {
    Json entry = Json::object();
    if (!manager->name.empty()) entry.set("manager", manager->name);
    entry.set("operation", manager->applied ? "Apply" : "Update");
    entry.set("apiVersion", manager->api_version);
    if (!manager->time.empty()) entry.set("time", manager->time);
    entry.set("fieldsType", "FieldsV1");
    entry.set("fieldsV1", manager->fields.to_fields_v1());
    if (!manager->subresource.empty()) entry.set("subresource", manager->subresource);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Manager* Managers::find(const Manager& identity) {
  for (auto& manager : list_)
    if (manager.is_same(identity)) return &manager;
  return nullptr;
}

void Managers::drop_empty() {
  std::erase_if(list_, [](const Manager& manager) { return manager.fields.empty(); });
}

void Managers::cap_updaters() {
  std::vector<std::size_t> updaters;
  for (std::size_t i = 0; i < list_.size(); ++i)
    if (!list_[i].applied) updaters.push_back(i);
  std::size_t count = updaters.size();
  if (count <= kUpdateManagersMax) return;
  std::stable_sort(updaters.begin(), updaters.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(seconds_of(list_[a]), std::string_view(list_[a].name)) <
           std::tuple(seconds_of(list_[b]), std::string_view(list_[b].name));
  });
  std::map<std::string, std::size_t> bucket_of_version;
  std::vector<bool> merged(list_.size(), false);
  for (std::size_t i : updaters) {
    if (count <= kUpdateManagersMax) break;
    auto [bucket, is_first] = bucket_of_version.try_emplace(list_[i].api_version, i);
    if (is_first) continue;  // the first of a version becomes the bucket when a second comes
    Manager& target = list_[bucket->second];
    target.name = kAncientChanges;
    target.subresource.clear();
    target.fields.add(std::move(list_[i].fields));
    target.time = list_[i].time;
    merged[i] = true;
    --count;
  }
  std::vector<Manager> left;
  for (std::size_t i = 0; i < list_.size(); ++i)
    if (!merged[i]) left.push_back(std::move(list_[i]));
  list_ = std::move(left);
}

}  // namespace skiff::api::patch
