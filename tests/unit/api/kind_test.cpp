#include <skiff/api/kind.h>
#include <skiff/api/schema.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "unit/api/oracle.h"

using namespace skiff;
using namespace skiff::api;

namespace {

std::vector<std::string> strings(const codec::Json& array) {
  std::vector<std::string> out;
  for (const codec::Json& item : array.items()) out.emplace_back(item.as_string());
  return out;
}
std::vector<std::string> strings(std::span<const std::string_view> span) {
  return {span.begin(), span.end()};
}

const codec::Json& entry_of(const codec::Json& list, std::string_view name) {
  static const codec::Json none;
  for (const codec::Json& entry : list["resources"].items())
    if (entry["name"].as_string() == name) return entry;
  return none;
}

}  // namespace

TEST_CASE("resources are found by plural and by kind") {
  const ResourceInfo* pods = find_resource("", "v1", "pods");
  REQUIRE(pods != nullptr);
  CHECK(pods->kind == "Pod");
  CHECK(pods->list_kind == "PodList");
  CHECK(pods->namespaced);
  CHECK(pods->type == find_type("", "v1", "Pod"));
  CHECK(find_kind("", "v1", "Pod") == pods);
  CHECK(find_subresource(*pods, "log") != nullptr);
  CHECK(find_subresource(*pods, "eviction") == nullptr);
  CHECK(find_resource("apps", "v1", "daemonsets") == nullptr);
  CHECK(find_resource("apps", "v1beta1", "deployments") == nullptr);
  const ResourceInfo* events = find_resource("events.k8s.io", "v1", "events");
  REQUIRE(events != nullptr);
  CHECK(events->storage_group.empty());
  CHECK(events->storage_resource == "events");
  CHECK(find_resource("apps", "v1", "deployments")->storage_group == "apps");
}

TEST_CASE("bodies that are no resources have types") {
  CHECK(find_type("autoscaling", "v1", "Scale") != nullptr);
  CHECK(find_type("authentication.k8s.io", "v1", "TokenRequest") != nullptr);
  CHECK(find_type("policy", "v1", "Eviction") != nullptr);
  CHECK(find_type("", "v1", "Binding") != nullptr);
  CHECK(find_type("", "v1", "DeleteOptions") != nullptr);
  CHECK(find_type("apps", "v1", "DeleteOptions") == find_type("", "v1", "DeleteOptions"));
  CHECK(find_type("apps", "v1", "DaemonSet") != nullptr);
  CHECK(find_type("apps", "v1", "Nothing") == nullptr);
  CHECK(find_type("", "", "") == nullptr);
}

TEST_CASE("fields carry what patches, protobuf and defaults need") {
  const TypeInfo* deployment = find_type("apps", "v1", "Deployment");
  REQUIRE(deployment != nullptr);
  CHECK(deployment->name == "io.k8s.api.apps.v1.Deployment");
  const TypeInfo* spec = find_field(*deployment, "spec")->object;
  REQUIRE(spec != nullptr);
  CHECK(strings(spec->required) == std::vector<std::string>{"selector", "template"});
  const FieldInfo* replicas = find_field(*spec, "replicas");
  CHECK(replicas->type == JsonType::integer);
  CHECK(replicas->integer_bits == 32);
  CHECK(replicas->is_optional);
  CHECK(replicas->default_json == "1");
  CHECK(replicas->protobuf_number == 1);
  const TypeInfo* pod_spec = find_field(*find_field(*spec, "template")->object, "spec")->object;
  const FieldInfo* containers = find_field(*pod_spec, "containers");
  CHECK(containers->is_list);
  CHECK(containers->list_type == ListType::map);
  CHECK(strings(containers->list_map_keys) == std::vector<std::string>{"name"});
  CHECK(containers->patch_merge);
  CHECK(containers->patch_merge_key == "name");
  const FieldInfo* ports = find_field(*containers->object, "ports");
  CHECK(strings(ports->list_map_keys) == std::vector<std::string>{"containerPort", "protocol"});
  CHECK(ports->patch_merge_key == "containerPort");
  CHECK(find_field(*pod_spec, "volumes")->patch_retain_keys);
  CHECK(go_type_name(*find_field(*containers->object, "imagePullPolicy")) == "v1.PullPolicy");
  const FieldInfo* exec =
      find_field(*find_field(*containers->object, "livenessProbe")->object, "exec");
  CHECK(exec->protobuf_outer[0] == 1);
  CHECK(exec->protobuf_number == 1);
  CHECK(find_field(*pod_spec, "nodeSelector")->map_is_atomic);
  CHECK(find_field(*pod_spec, "noSuchField") == nullptr);
}

TEST_CASE("every table entry is consistent") {
  std::set<std::string_view> names;
  for (const TypeInfo& type : all_types()) {
    CHECK(names.insert(type.name).second);
    CHECK(std::is_sorted(type.fields.begin(), type.fields.end(),
                         [](const auto& a, const auto& b) { return a.name < b.name; }));
    for (const FieldInfo& field : type.fields) {
      INFO(type.name << "." << field.name);
      CHECK((field.type == JsonType::object) == (field.object != nullptr));
      CHECK((field.type == JsonType::integer) == (field.integer_bits != 0));
      if (!field.default_json.empty()) CHECK(codec::parse_json(field.default_json).is_ok());
      for (std::string_view key : field.list_map_keys) CHECK(find_field(*field.object, key));
      if (field.list_type == ListType::map) CHECK(field.is_list);
    }
  }
}

TEST_CASE("api versions split at the slash") {
  CHECK(split_api_version("v1").group.empty());
  CHECK(split_api_version("v1").version == "v1");
  CHECK(split_api_version("apps/v1").group == "apps");
  CHECK(split_api_version("apps/v1").version == "v1");
}

TEST_CASE("resources match upstream's discovery") {
  std::string last;
  for (const ResourceInfo& info : all_resources()) {
    const std::string file =
        info.group.empty()
            ? base::concat("discovery/api__", info.version, ".json")
            : base::concat("discovery/apis__", info.group, "__", info.version, ".json");
    auto list = tests::read_oracle_json(file);
    SKIFF_SKIP_WITHOUT(list, file);
    INFO(info.resource);
    const codec::Json& entry = entry_of(*list, info.resource);
    CHECK(entry["kind"].as_string() == info.kind);
    CHECK(entry["singularName"].as_string() == info.singular);
    CHECK(entry["namespaced"].as_bool() == info.namespaced);
    CHECK(strings(entry["verbs"]) == strings(info.verbs));
    CHECK(strings(entry["shortNames"]) == strings(info.short_names));
    CHECK(strings(entry["categories"]) == strings(info.categories));
    for (const SubresourceInfo& sub : info.subresources) {
      const codec::Json& found = entry_of(*list, base::concat(info.resource, "/", sub.name));
      CHECK(found["kind"].as_string() == sub.kind);
      CHECK(found["group"].as_string(info.group) == sub.group);
      CHECK(found["version"].as_string(info.version) == sub.version);
      CHECK(strings(found["verbs"]) == strings(sub.verbs));
    }
    const std::string place = base::concat(info.group, "/", info.version, "/");
    if (!last.empty() && base::starts_with(last, place))
      CHECK(last < place + std::string(info.resource));
    last = place + std::string(info.resource);
  }
}
