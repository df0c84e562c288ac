#include "api/patch/managed_fields.h"
#include "api/patch/typed_value.h"

#include <skiff/api/kind.h>
#include <skiff/api/patch.h>
#include <skiff/base/random.h>

#include <catch2/catch.hpp>

using namespace skiff;
using codec::Json;

namespace {

const api::TypeInfo& pod_type() { return *api::find_kind("", "v1", "Pod")->type; }

std::string pick(base::Random& random, std::initializer_list<const char*> choices) {
  return *(choices.begin() + random.below(choices.size()));
}

// A pod configuration over few names and values, so that managers meet each other.
Json random_pod(base::Random& random) {
  Json pod = Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  Json& metadata = pod["metadata"];
  metadata.set("name", "p");
  for (std::uint64_t i = random.below(3); i > 0; --i)
    metadata["labels"].set(pick(random, {"a", "b", "c"}), pick(random, {"1", "2"}));
  for (std::uint64_t i = random.below(3); i > 0; --i) {
    Json finalizer(pick(random, {"x/a", "x/b", "x/c"}));
    bool known = false;
    for (const auto& item : metadata["finalizers"].items()) known = known || item == finalizer;
    if (!known) metadata["finalizers"].push_back(std::move(finalizer));
  }
  Json& spec = pod["spec"];
  spec = Json::object();
  if (random.below(2) == 0) spec["nodeSelector"].set(pick(random, {"n", "m"}), "v");
  if (random.below(2) == 0) spec.set("hostname", pick(random, {"h", "i"}));
  if (random.below(3) == 0) spec["securityContext"] = Json::object();
  if (random.below(3) == 0)
    spec["tolerations"].push_back(Json::object({{"key", pick(random, {"t", "u"})}}));
  std::string used;
  for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
    const std::string name = pick(random, {"a", "b", "c"});
    if (used.find(name) != std::string::npos) continue;
    used += name;
    Json container = Json::object({{"name", name}, {"image", pick(random, {"i", "j"})}});
    if (random.below(2) == 0)
      container["ports"].push_back(
          Json::object({{"containerPort", Json(static_cast<long long>(80 + random.below(2)))}}));
    if (random.below(2) == 0)
      container["env"].push_back(
          Json::object({{"name", pick(random, {"A", "B"})}, {"value", pick(random, {"1", "2"})}}));
    if (random.below(3) == 0) container["resources"]["limits"].set("cpu", pick(random, {"1", "2"}));
    spec["containers"].push_back(std::move(container));
  }
  return pod;
}

Json apply(const Json& live, const Json& applied, const char* manager) {
  api::ApplyOptions options;
  options.manager = manager;
  options.api_version = "v1";
  options.force = true;
  auto result = api::server_side_apply(pod_type(), live, applied, options);
  if (auto* error = std::get_if<api::ApiError>(&result)) FAIL(error->message);
  return std::get<Json>(result);
}

// Nobody owns what is not there.
void check_owned_exists(const Json& object) {
  const auto shape = api::patch::Shape::of_type(pod_type());
  const auto there = api::patch::to_field_set(shape, object);
  const auto named = api::patch::with_named_fields(there, shape);
  auto managers = api::patch::Managers::decode(object["metadata"]["managedFields"]);
  REQUIRE(managers.is_ok());
  for (const auto& manager : managers->list()) {
    CHECK_FALSE(manager.fields.empty());
    manager.fields.for_each([&](const api::patch::Path& path) {
      INFO(manager.to_string() << " " << path_text(path) << "\n" << codec::write_json(object));
      // The plain struct `resources` is there in Go whether it is written or not.
      bool found = there.has(path) || named.has(path) || path.back().name == "resources";
      const Json* at = &object;
      for (const auto& element : path) {
        if (element.type != api::patch::PathElement::Type::field) break;
        at = &(*at)[element.name];
        if (&element == &path.back()) found = found || !at->is_null();
      }
      CHECK(found);
    });
  }
}

}  // namespace

TEST_CASE("applying twice changes nothing, whoever applied before") {
  auto seeded = base::seeded_random(11);
  for (int round = 0; round < 30; ++round) {
    Json live;
    for (int step = 0; step < 6; ++step) {
      const char* manager = seeded->below(2) == 0 ? "alice" : "bob";
      const Json applied = random_pod(*seeded);
      Json once = apply(live, applied, manager);
      Json twice = apply(once, applied, manager);
      REQUIRE(codec::write_json(twice) == codec::write_json(once));
      check_owned_exists(once);
      live = std::move(once);
    }
  }
}

TEST_CASE("what one manager applied alone goes when it lets go") {
  auto seeded = base::seeded_random(12);
  const Json nothing = Json::object(
      {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", Json::object({{"name", "p"}})}});
  for (int round = 0; round < 40; ++round) {
    const Json first = random_pod(*seeded), second = random_pod(*seeded);
    Json live = apply(apply(Json(), first, "alice"), second, "bob");
    Json left = apply(live, nothing, "alice");
    // Bob's configuration is what remains.
    Json alone = apply(Json(), second, "bob");
    left["metadata"].erase("managedFields");
    alone["metadata"].erase("managedFields");
    INFO(codec::write_json(first) << "\n" << codec::write_json(second));
    CHECK(left == alone);
  }
}

TEST_CASE("updates and applies in any order leave sound owners") {
  auto seeded = base::seeded_random(13);
  for (int round = 0; round < 20; ++round) {
    Json live = random_pod(*seeded);
    api::ApplyOptions options;
    options.api_version = "v1";
    options.manager = "creator";
    api::track_update(pod_type(), Json(), live, options);
    live["metadata"].set("uid", "u");
    for (int step = 0; step < 6; ++step) {
      if (seeded->below(2) == 0) {
        live = apply(live, random_pod(*seeded), "applier");
      } else {
        Json changed = random_pod(*seeded);
        changed["metadata"].set("uid", "u");
        options.manager = seeded->below(2) == 0 ? "one" : "two";
        api::track_update(pod_type(), live, changed, options);
        live = std::move(changed);
      }
      check_owned_exists(live);
    }
  }
}

TEST_CASE("who creates a pod owns what is in it, and the structs that Go has there unwritten") {
  Json pod = codec::parse_json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p",
    "labels":{"a":"1"},"unknown":1},"spec":{"hostname":"","securityContext":{},"nodeName":null,
    "containers":[{"name":"c","image":"i","stdin":false}]}})")
                 .value();
  api::ApplyOptions options;
  options.api_version = "v1";
  options.manager = "creator";
  api::track_update(pod_type(), Json(), pod, options);
  const Json fields = pod["metadata"]["managedFields"].items()[0]["fieldsV1"];
  CHECK(fields == codec::parse_json(R"({"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{
    "f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{}}},
    "f:securityContext":{}}})")
                      .value());
}

TEST_CASE("sets of fields read back as they were written") {
  auto seeded = base::seeded_random(14);
  const auto shape = api::patch::Shape::of_type(pod_type());
  for (int round = 0; round < 40; ++round) {
    const auto a = api::patch::to_field_set(shape, random_pod(*seeded));
    const auto b = api::patch::to_field_set(shape, random_pod(*seeded));
    auto again = api::patch::FieldSet::parse(a.to_fields_v1());
    REQUIRE(again.is_ok());
    CHECK(*again == a);
    CHECK(a.union_with(b) == b.union_with(a));
    CHECK(a.intersection(b) == b.intersection(a));
    CHECK(a.difference(b).intersection(b).empty());
    CHECK(a.difference(b).union_with(a.intersection(b)) == a);
    CHECK(a.union_with(a) == a);
  }
}

TEST_CASE("broken sets of fields are refused") {
  for (const char* text : {R"({"x":{}})", R"({"f:a":7})", R"({"k:{":{}})", R"({"v:":{}})",
                           R"({"k:[1]":{}})", R"({"i:x":{}})", R"([])", R"({"a":{}})"}) {
    INFO(text);
    CHECK_FALSE(api::patch::FieldSet::parse(codec::parse_json(text).value()).is_ok());
  }
  // A step of a kind that a later version may know is left out.
  auto unknown = api::patch::FieldSet::parse(codec::parse_json(R"({"z:a":{},"f:b":{}})").value());
  REQUIRE(unknown.is_ok());
  CHECK(codec::write_json(unknown->to_fields_v1()) == R"({"f:b":{}})");
}
