#include <skiff/api/kind.h>
#include <skiff/api/openapi.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/codec/protobuf.h>

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace skiff;
using namespace skiff::api;

namespace {

codec::Json parsed(const std::string& text) {
  codec::JsonParseOptions options;
  std::vector<std::string> duplicates;
  options.duplicates = &duplicates;
  auto json = codec::parse_json(text, options);
  INFO(json.status().message());
  REQUIRE(json.is_ok());
  CHECK(duplicates.empty());
  return std::move(json).value();
}

std::string v2_text() {
  std::string out;
  TextSink sink = [&out](std::string_view piece) { out += piece; };
  write_openapi_v2_json(sink);
  return out;
}

std::string v3_text(std::string_view path) {
  std::string out;
  TextSink sink = [&out](std::string_view piece) { out += piece; };
  REQUIRE(write_openapi_v3(path, sink));
  return out;
}

void collect_references(const codec::Json& value, std::set<std::string>& out) {
  if (value.contains("$ref")) out.emplace(value["$ref"].as_string());
  for (const auto& member : value.members()) collect_references(member.value, out);
  for (const auto& item : value.items()) collect_references(item, out);
}

using Fields = std::multimap<std::uint32_t, std::string_view>;

Fields fields_of(std::string_view message) {
  Fields out;
  codec::ProtobufReader reader(message);
  while (!reader.at_end()) {
    auto field = reader.next();
    REQUIRE(field.is_ok());
    out.emplace(field->number, field->bytes);
  }
  return out;
}

// The value of the entry with a name, in a message that repeats entries as `number`.
std::string_view entry_named(std::string_view message, std::uint32_t number,
                             std::string_view name) {
  const Fields all = fields_of(message);
  for (auto [it, end] = all.equal_range(number); it != end; ++it) {
    const Fields entry = fields_of(it->second);
    if (entry.find(1)->second == name) return entry.find(2)->second;
  }
  return {};
}

std::string_view part(std::string_view message, std::uint32_t number) {
  const Fields all = fields_of(message);
  auto found = all.find(number);
  return found == all.end() ? std::string_view() : found->second;
}

}  // namespace

TEST_CASE("every reference of the version 2 document is defined") {
  const codec::Json document = parsed(v2_text());
  std::set<std::string> references;
  collect_references(document, references);
  CHECK(references.size() > 100);
  for (const std::string& reference : references) {
    INFO(reference);
    REQUIRE(base::starts_with(reference, "#/definitions/"));
    CHECK(document["definitions"].contains(reference.substr(14)));
  }
}

TEST_CASE("patch operations name their kind, dryRun and fieldValidation") {
  const codec::Json document = parsed(v2_text());
  const codec::Json& patch =
      document["paths"].at({"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch"});
  CHECK(patch["x-kubernetes-action"].as_string() == "patch");
  CHECK(codec::write_json(patch["x-kubernetes-group-version-kind"]) ==
        R"({"group":"apps","kind":"Deployment","version":"v1"})");
  std::set<std::string> names;
  for (const auto& parameter : patch["parameters"].items())
    names.emplace(parameter["name"].as_string());
  CHECK(names ==
        std::set<std::string>{"body", "dryRun", "fieldManager", "fieldValidation", "force"});
  const codec::Json& list = document["paths"].at({"/api/v1/pods", "get"});
  CHECK(list["x-kubernetes-action"].as_string() == "list");
  CHECK(list["operationId"].as_string() == "listCoreV1PodForAllNamespaces");
  CHECK(document["paths"]
            .at({"/api/v1/namespaces/{namespace}/pods/{name}/exec", "post", "x-kubernetes-action"})
            .as_string() == "connect");
}

TEST_CASE("definitions carry what patches and explain need") {
  const codec::Json document = parsed(v2_text());
  const codec::Json& spec = document["definitions"]["io.k8s.api.core.v1.PodSpec"];
  CHECK(codec::write_json(spec["required"]) == R"(["containers"])");
  const codec::Json& containers = spec["properties"]["containers"];
  CHECK(containers["type"].as_string() == "array");
  CHECK(containers["x-kubernetes-patch-strategy"].as_string() == "merge");
  CHECK(containers["x-kubernetes-patch-merge-key"].as_string() == "name");
  CHECK(containers["x-kubernetes-list-type"].as_string() == "map");
  CHECK(codec::write_json(containers["x-kubernetes-list-map-keys"]) == R"(["name"])");
  CHECK(spec["properties"]["volumes"]["x-kubernetes-patch-strategy"].as_string() ==
        "merge,retainKeys");
  CHECK(spec["properties"]["nodeSelector"]["x-kubernetes-map-type"].as_string() == "atomic");
  CHECK(codec::write_json(document.at(
            {"definitions", "io.k8s.api.core.v1.Pod", "x-kubernetes-group-version-kind"})) ==
        R"([{"group":"","kind":"Pod","version":"v1"}])");
  CHECK(document
            .at({"definitions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
                 "x-kubernetes-group-version-kind"})
            .size() == openapi_v3_paths().size());
  CHECK(document["definitions"]
            .at({"io.k8s.apimachinery.pkg.util.intstr.IntOrString", "format"})
            .as_string() == "int-or-string");
}

TEST_CASE("the protobuf form holds the same paths and definitions") {
  const codec::Json document = parsed(v2_text());
  std::string bytes;
  TextSink sink = [&bytes](std::string_view piece) { bytes += piece; };
  write_openapi_v2_protobuf(sink);
  CHECK(part(bytes, 1) == "2.0");
  CHECK(part(part(bytes, 2), 1) == "Kubernetes");
  const std::string_view paths = part(bytes, 8), definitions = part(bytes, 9);
  CHECK(fields_of(paths).count(2) == document["paths"].size());
  CHECK(fields_of(definitions).count(1) == document["definitions"].size());

  const std::string_view item =
      entry_named(paths, 2, "/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  const std::string_view patch = part(item, 8);
  CHECK(part(entry_named(patch, 13, "x-kubernetes-group-version-kind"), 2) ==
        "{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}\n");
  std::set<std::string> names;
  const Fields operation = fields_of(patch);
  for (auto [it, end] = operation.equal_range(8); it != end; ++it) {
    const std::string_view parameter = part(it->second, 1);
    const std::string_view query = part(part(parameter, 2), 3);
    if (!query.empty()) names.emplace(part(query, 4));
  }
  CHECK(names == std::set<std::string>{"dryRun", "fieldManager", "fieldValidation", "force"});

  const std::string_view spec = entry_named(definitions, 1, "io.k8s.api.core.v1.PodSpec");
  const std::string_view containers = entry_named(part(spec, 25), 1, "containers");
  CHECK(part(part(containers, 22), 1) == "array");
  CHECK(part(part(part(containers, 23), 1), 1) == "#/definitions/io.k8s.api.core.v1.Container");
  CHECK(part(entry_named(containers, 31, "x-kubernetes-patch-merge-key"), 2) == "\"name\"\n");
}

TEST_CASE("version 3 documents stand by themselves") {
  const auto paths = openapi_v3_paths();
  CHECK(paths ==
        std::vector<std::string>{"api/v1", "apis/apps/v1", "apis/events.k8s.io/v1",
                                 "apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1",
                                 "apis/certificates.k8s.io/v1", "apis/rbac.authorization.k8s.io/v1",
                                 "apis/coordination.k8s.io/v1", "apis/discovery.k8s.io/v1"});
  std::set<std::string> hashes{openapi_hash("v2")};
  for (const std::string& path : paths) {
    const codec::Json document = parsed(v3_text(path));
    std::set<std::string> references;
    collect_references(document, references);
    for (const std::string& reference : references) {
      REQUIRE(base::starts_with(reference, "#/components/schemas/"));
      CHECK(document.at({"components", "schemas"}).contains(reference.substr(21)));
    }
    CHECK(openapi_hash(path).size() == 32);
    hashes.insert(openapi_hash(path));
  }
  CHECK(hashes.size() == paths.size() + 1);
  const codec::Json apps = parsed(v3_text("apis/apps/v1"));
  const codec::Json& get =
      apps["paths"].at({"/apis/apps/v1/namespaces/{namespace}/deployments", "get"});
  CHECK(get.at({"x-kubernetes-group-version-kind", "kind"}).as_string() == "Deployment");
  CHECK(get["parameters"].items()[0].at({"schema", "type"}).as_string() == "boolean");
  TextSink sink = [](std::string_view) {};
  CHECK_FALSE(write_openapi_v3("apis/batch/v1", sink));
  CHECK(openapi_hash("apis/batch/v1").empty());
}

TEST_CASE("documents come in small pieces") {
  std::size_t largest = 0, total = 0;
  TextSink sink = [&](std::string_view piece) {
    largest = std::max(largest, piece.size());
    total += piece.size();
  };
  write_openapi_v2_json(sink);
  CHECK(largest < 64u << 10);
  CHECK(total > 100u << 10);
}
