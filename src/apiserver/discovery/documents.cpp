#include "apiserver/discovery/documents.h"

#include <skiff/api/kind.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <vector>

namespace skiff::apiserver {

using codec::Json;

namespace {

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : base::concat(group, "/", version);
}

Json strings(std::span<const std::string_view> values) {
  Json list = Json::array();
  for (auto value : values) list.push_back(value);
  return list;
}

// Groups in the order of discovery; the versions of one, preferred first.
std::vector<std::string_view> groups() {
  std::vector<std::string_view> result;
  for (const auto& resource : api::all_resources()) {
    if (resource.group.empty()) continue;
    if (std::find(result.begin(), result.end(), resource.group) == result.end()) {
      result.push_back(resource.group);
    }
  }
  return result;
}

std::vector<std::string_view> versions(std::string_view group) {
  std::vector<std::string_view> result;
  for (const auto& resource : api::all_resources()) {
    if (resource.group != group) continue;
    if (std::find(result.begin(), result.end(), resource.version) == result.end()) {
      result.push_back(resource.version);
    }
  }
  return result;
}

Json group_document(std::string_view group) {
  Json list = Json::array();
  for (auto version : versions(group)) {
    list.push_back(
        Json::object({{"groupVersion", group_version(group, version)}, {"version", version}}));
  }
  if (list.empty()) return Json();
  Json preferred = list.item(0);
  return Json::object(
      {{"name", group}, {"versions", std::move(list)}, {"preferredVersion", preferred}});
}

bool differs(const api::SubresourceInfo& sub, const api::ResourceInfo& resource) {
  if (sub.group.empty() && sub.version.empty()) return false;
  return sub.group != resource.group || sub.version != resource.version;
}

Json resource_entry(const api::ResourceInfo& resource) {
  Json entry = Json::object({{"name", resource.resource},
                             {"singularName", resource.singular},
                             {"namespaced", resource.namespaced},
                             {"kind", resource.kind},
                             {"verbs", strings(resource.verbs)}});
  if (!resource.short_names.empty()) entry.set("shortNames", strings(resource.short_names));
  if (!resource.categories.empty()) entry.set("categories", strings(resource.categories));
  return entry;
}

Json subresource_entry(const api::ResourceInfo& resource, const api::SubresourceInfo& sub) {
  Json entry = Json::object({{"name", base::concat(resource.resource, "/", sub.name)},
                             {"singularName", ""},
                             {"namespaced", resource.namespaced}});
  if (differs(sub, resource)) {
    entry.set("group", sub.group);
    entry.set("version", sub.version);
  }
  entry.set("kind", sub.kind);
  entry.set("verbs", strings(sub.verbs));
  return entry;
}

Json response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Json::object({{"group", group}, {"version", version}, {"kind", kind}});
}

Json aggregated_resource(const api::ResourceInfo& resource) {
  Json entry = Json::object(
      {{"resource", resource.resource},
       {"responseKind", response_kind(resource.group, resource.version, resource.kind)},
       {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
       {"singularResource", resource.singular},
       {"verbs", strings(resource.verbs)}});
  if (!resource.short_names.empty()) entry.set("shortNames", strings(resource.short_names));
  if (!resource.categories.empty()) entry.set("categories", strings(resource.categories));
  Json subresources = Json::array();
  for (const auto& sub : resource.subresources) {
    const bool own = differs(sub, resource);
    subresources.push_back(Json::object(
        {{"subresource", sub.name},
         {"responseKind", response_kind(own ? sub.group : resource.group,
                                        own ? sub.version : resource.version, sub.kind)},
         {"verbs", strings(sub.verbs)}}));
  }
  if (!subresources.empty()) entry.set("subresources", std::move(subresources));
  return entry;
}

Json aggregated_group(std::string_view group) {
  Json list = Json::array();
  for (auto version : versions(group)) {
    Json resources = Json::array();
    for (const auto& resource : api::all_resources()) {
      if (resource.group == group && resource.version == version) {
        resources.push_back(aggregated_resource(resource));
      }
    }
    list.push_back(Json::object(
        {{"version", version}, {"resources", std::move(resources)}, {"freshness", "Current"}}));
  }
  Json metadata = Json::object();
  if (!group.empty()) metadata.set("name", group);
  metadata.set("creationTimestamp", nullptr);
  return Json::object({{"metadata", std::move(metadata)}, {"versions", std::move(list)}});
}

}  // namespace

Json api_versions(std::string_view server_address) {
  return Json::object({{"kind", "APIVersions"},
                       {"versions", Json::array({Json("v1")})},
                       {"serverAddressByClientCIDRs",
                        Json::array({Json::object(
                            {{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}})})}});
}

Json api_group_list() {
  Json list = Json::array();
  for (auto group : groups()) list.push_back(group_document(group));
  return Json::object(
      {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(list)}});
}

Json api_group(std::string_view group) {
  if (group.empty()) return Json();
  Json document = group_document(group);
  if (document.is_null()) return document;
  Json result = Json::object({{"kind", "APIGroup"}, {"apiVersion", "v1"}});
  for (auto& member : document.mutable_members()) {
    result.set(member.key, std::move(member.value));
  }
  return result;
}

Json api_resource_list(std::string_view group, std::string_view version) {
  Json list = Json::array();
  for (const auto& resource : api::all_resources()) {
    if (resource.group != group || resource.version != version) continue;
    list.push_back(resource_entry(resource));
    for (const auto& sub : resource.subresources) {
      list.push_back(subresource_entry(resource, sub));
    }
  }
  if (list.empty()) return Json();
  Json result = Json::object({{"kind", "APIResourceList"}});
  if (!group.empty()) result.set("apiVersion", "v1");
  result.set("groupVersion", group_version(group, version));
  result.set("resources", std::move(list));
  return result;
}

Json aggregated_discovery(bool core, std::string_view version) {
  Json items = Json::array();
  if (core) {
    items.push_back(aggregated_group(""));
  } else {
    for (auto group : groups()) items.push_back(aggregated_group(group));
  }
  return Json::object({{"kind", "APIGroupDiscoveryList"},
                       {"apiVersion", base::concat("apidiscovery.k8s.io/", version)},
                       {"metadata", Json::object()},
                       {"items", std::move(items)}});
}

std::string entity_tag(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(hash >> shift);
  return base::to_hex(bytes);
}

}  // namespace skiff::apiserver
