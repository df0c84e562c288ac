#include <skiff/api/kind.h>
#include <skiff/api/patch.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::ApiError;
using codec::Json;

namespace {

Json json(std::string_view text) {
  INFO(text);
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return *value;
}

api::PatchResult patch_pod(const char* object, const char* patch) {
  const auto* resource = api::find_kind("", "v1", "Pod");
  REQUIRE(resource != nullptr);
  return api::apply_strategic_merge_patch(*resource->type, json(object), json(patch));
}

}  // namespace

TEST_CASE("strategic merge patches merge by the schema's keys") {
  const char* rows[][3] = {
      // maps merge, null deletes
      {R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
       R"({"metadata":{"labels":{"b":null,"c":"3"}}})",
       R"({"metadata":{"labels":{"a":"1","c":"3"}}})"},
      // a list with a merge key
      {R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"1"}]}})",
       R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c","image":"1"}]}})"},
      // lists without a merge strategy are replaced
      {R"({"spec":{"containers":[{"name":"a","command":["x","y"]}],"tolerations":[{"key":"a"}]}})",
       R"({"spec":{"containers":[{"name":"a","command":["z"]}],"tolerations":[{"key":"b"}]}})",
       R"({"spec":{"containers":[{"name":"a","command":["z"]}],"tolerations":[{"key":"b"}]}})"},
      // nested merge keys
      {R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"3"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"3"}]}]}})"},
      // $patch: delete in a list, in a map; $patch: replace in a list, in a map
      {R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"$patch":"delete","name":"a"}]}})",
       R"({"spec":{"containers":[{"name":"b"}]}})"},
      {R"({"spec":{"securityContext":{"runAsUser":1}}})",
       R"({"spec":{"securityContext":{"$patch":"delete"}}})", R"({"spec":{"securityContext":{}}})"},
      {R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}})",
       R"({"spec":{"containers":[{"name":"c"}]}})"},
      {R"({"metadata":{"labels":{"a":"1"}}})",
       R"({"metadata":{"labels":{"$patch":"replace","b":"2"}}})",
       R"({"metadata":{"labels":{"b":"2"}}})"},
      {R"({"metadata":{"labels":{"a":"1"}}})",
       R"({"metadata":{"labels":{"$patch":"merge","b":"2"}}})",
       R"({"metadata":{"labels":{"a":"1","b":"2"}}})"},
      // directives in what is new say nothing
      {R"({"spec":{}})",
       R"({"spec":{"containers":[{"$patch":"delete","name":"a"},{"name":"b","image":null}]}})",
       R"({"spec":{"containers":[{"name":"b"}]}})"},
      // primitive lists
      {R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"finalizers":["c","a"]}})",
       R"({"metadata":{"finalizers":["c","a","b"]}})"},
      {R"({"metadata":{"finalizers":["a","b","c"]}})",
       R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["b","x"]}})",
       R"({"metadata":{"finalizers":["a","c"]}})"},
      {R"({"metadata":{}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["b"]}})",
       R"({"metadata":{}})"},
      {R"({"metadata":{"finalizers":["a","b","c"]}})",
       R"({"metadata":{"$setElementOrder/finalizers":["c","a"],"$deleteFromPrimitiveList/finalizers":["b"]}})",
       R"({"metadata":{"finalizers":["c","a"]}})"},
      // $setElementOrder
      {R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"},{"name":"d"}],"containers":[{"name":"d","image":"i"}]}})",
       R"({"spec":{"containers":[{"name":"b"},{"name":"c"},{"name":"a"},{"name":"d","image":"i"}]}})"},
      {R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}})",
       R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})"},
      {R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"}],"containers":[{"name":"b","image":"x"},{"$patch":"delete","name":"a"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"x"}]}})"},
      {R"({"spec":{}})", R"({"spec":{"$setElementOrder/containers":[{"name":"b"}]}})",
       R"({"spec":{}})"},
      // $retainKeys
      {R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
       R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}]}})",
       R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})"},
      // another type replaces
      {R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":"x"}})",
       R"({"metadata":{"labels":"x"}})"},
      {R"({"metadata":{"name":"a"}})", "{}", R"({"metadata":{"name":"a"}})"},
  };
  for (const auto& row : rows) {
    INFO(row[1]);
    auto result = patch_pod(row[0], row[1]);
    if (auto* error = std::get_if<ApiError>(&result)) FAIL(error->message);
    CHECK(codec::write_json(std::get<Json>(result)) == row[2]);
  }
}

TEST_CASE("bad strategic merge patches are refused in upstream's words") {
  struct Row {
    const char* object;
    const char* patch;
    int code;
    const char* message;
  };
  const char* pod =
      R"({"spec":{"containers":[{"name":"a"}],"volumes":[{"name":"v"}]},"metadata":{"finalizers":["a"]}})";
  const Row rows[] = {
      {pod, R"({"spec":{"containers":[{"image":"x"}]}})", 500,
       "Internal error occurred: map: map[image:x] does not contain declared merge key: name"},
      {pod, R"({"spec":{"containers":[{"$patch":"delete"}]}})", 500,
       "Internal error occurred: map: map[$patch:delete] does not contain declared merge key: "
       "name"},
      {pod, R"({"spec":{"$patch":"odd"}})", 500,
       "Internal error occurred: unknown patch type: odd in map: map[$patch:odd]"},
      {pod, R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name"],"emptyDir":{}}]}})", 400,
       "invalid patch format of retainKeys"},
      {pod, R"({"spec":{"volumes":[{"name":"v","$retainKeys":7}]}})", 400,
       "invalid patch format of retainKeys"},
      {pod, R"({"spec":{"$setElementOrder/containers":7}})", 400,
       "invalid patch format of setElementOrder list"},
      {pod, R"({"spec":{"$setElementOrder":[]}})", 400,
       "invalid patch format of setElementOrder list"},
      {pod, R"({"metadata":{"$deleteFromPrimitiveList":["a"]}})", 400,
       "invalid patch format of primitive list"},
      {pod, R"({"metadata":{"finalizers":[["a"]]}})", 422,
       "the server rejected our request due to an error in our request"},
      {pod, R"({"spec":{"containers":["a"]}})", 500,
       "Internal error occurred: list element types are not identical"},
      {pod, R"([])", 400, "invalid JSON document"},
      {pod,
       R"({"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"b"}]}})",
       500,
       "Internal error occurred: The order in patch list:\n[map[name:b]]\n doesn't match "
       "$setElementOrder list:\n[map[name:a]]\n"},
  };
  for (const auto& row : rows) {
    INFO(row.patch);
    auto result = patch_pod(row.object, row.patch);
    REQUIRE(std::holds_alternative<ApiError>(result));
    CHECK(std::get<ApiError>(result).code == row.code);
    CHECK(std::get<ApiError>(result).message == row.message);
  }
}
