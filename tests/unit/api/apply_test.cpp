#include <skiff/api/kind.h>
#include <skiff/api/patch.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::ApiError;
using api::ApplyOptions;
using codec::Json;

namespace {

Json json(std::string_view text) {
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return *value;
}

const api::TypeInfo& type_of(std::string_view group, std::string_view kind) {
  const auto* resource = api::find_kind(group, "v1", kind);
  REQUIRE(resource != nullptr);
  return *resource->type;
}

ApplyOptions options(std::string manager, std::string version = "apps/v1", int second = 1) {
  ApplyOptions result;
  result.manager = std::move(manager);
  result.api_version = std::move(version);
  result.now = base::WallTime::from_unix_seconds(1'700'000'000 + second);
  return result;
}

Json apply(const api::TypeInfo& type, const Json& live, const Json& applied,
           const ApplyOptions& how) {
  auto result = api::server_side_apply(type, live, applied, how);
  if (auto* error = std::get_if<ApiError>(&result)) FAIL(error->message);
  return std::get<Json>(result);
}

ApiError apply_error(const api::TypeInfo& type, const Json& live, const Json& applied,
                     const ApplyOptions& how) {
  auto result = api::server_side_apply(type, live, applied, how);
  REQUIRE(std::holds_alternative<ApiError>(result));
  return std::get<ApiError>(result);
}

// fieldsV1 of a manager as text; "" when it has no entry.
std::string fields_of(const Json& object, std::string_view manager) {
  for (const auto& entry : object["metadata"]["managedFields"].items())
    if (entry["manager"].as_string() == manager) return codec::write_json(entry["fieldsV1"]);
  return "";
}

const char* kDeployment = R"({"apiVersion":"apps/v1","kind":"Deployment",
  "metadata":{"name":"web","namespace":"default","labels":{"app":"web"}},
  "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},
    "template":{"metadata":{"labels":{"app":"web"}},
      "spec":{"containers":[{"name":"c","image":"nginx","ports":[{"containerPort":80}]}]}}}})";

}  // namespace

TEST_CASE("a create is tracked as upstream tracks it") {
  Json object = json(R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"web","namespace":"default","uid":"u","creationTimestamp":"2024-01-01T00:00:00Z",
                "generation":1,"labels":{"app":"web"}},
    "spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},
      "strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}},
      "template":{"metadata":{"labels":{"app":"web"}},"spec":{
        "containers":[{"name":"nginx","image":"nginx","imagePullPolicy":"Always","resources":{},
          "ports":[{"containerPort":80,"protocol":"TCP"}]}],
        "dnsPolicy":"ClusterFirst","restartPolicy":"Always","securityContext":{}}}},
    "status":{}})");
  api::track_update(type_of("apps", "Deployment"), Json(), object, options("kubectl-create"));
  const Json& entries = object["metadata"]["managedFields"];
  REQUIRE(entries.size() == 1);
  CHECK(
      codec::write_json(entries.items()[0]) ==
      R"({"manager":"kubectl-create","operation":"Update","apiVersion":"apps/v1","time":"2023-11-14T22:13:21Z","fieldsType":"FieldsV1","fieldsV1":)"
      R"({"f:metadata":{"f:labels":{".":{},"f:app":{}}},)"
      R"("f:spec":{"f:replicas":{},"f:selector":{},)"
      R"("f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{},"f:maxUnavailable":{}},"f:type":{}},)"
      R"("f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},)"
      R"("f:spec":{"f:containers":{"k:{\"name\":\"nginx\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},)"
      R"("f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}},"f:resources":{}}},)"
      R"("f:dnsPolicy":{},"f:restartPolicy":{},"f:securityContext":{}}}}}})");
}

TEST_CASE("an update moves only what it changes") {
  const auto& type = type_of("", "ConfigMap");
  Json first = json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},
                        "data":{"x":"1","y":"2"}})");
  api::track_update(type, Json(), first, options("alice", "v1", 1));
  first["metadata"].set("uid", "u");
  Json second = first;
  second["data"].set("y", "3");
  second["data"].set("z", "4");
  api::track_update(type, first, second, options("bob", "v1", 2));
  CHECK(fields_of(second, "alice") == R"({"f:data":{".":{},"f:x":{}}})");
  CHECK(fields_of(second, "bob") == R"({"f:data":{"f:y":{},"f:z":{}}})");

  SECTION("a manager without fields is gone") {
    Json third = second;
    third["data"].set("x", "5");
    third["data"].erase("y");
    third["data"].erase("z");
    third.set("binaryData", json(R"({"k":"AA=="})"));
    api::track_update(type, second, third, options("carol", "v1", 3));
    CHECK(fields_of(third, "bob").empty());
    CHECK(fields_of(third, "alice") == R"({"f:data":{}})");
  }
  SECTION("an update that changes nothing tracks nothing") {
    Json third = second;
    api::track_update(type, second, third, options("carol", "v1", 3));
    CHECK(codec::write_json(third) == codec::write_json(second));
  }
  SECTION("managedFields [] and [{}] reset") {
    for (const char* reset : {"[]", "[{}]"}) {
      Json third = second;
      third["metadata"].set("managedFields", json(reset));
      third["data"].set("x", "7");
      api::track_update(type, second, third, options("carol", "v1", 3));
      CHECK(third["metadata"]["managedFields"].is_null());
    }
  }
  SECTION("managedFields of the request are taken, broken ones are not") {
    Json third = second;
    third["metadata"]["managedFields"].mutable_items().erase(
        third["metadata"]["managedFields"].mutable_items().begin());
    api::track_update(type, second, third, options("carol", "v1", 3));
    CHECK(fields_of(third, "alice").empty());
    CHECK_FALSE(fields_of(third, "bob").empty());
    third["metadata"].set("managedFields", json(R"([{"manager":"x","operation":"Odd"}])"));
    api::track_update(type, second, third, options("carol", "v1", 3));
    CHECK_FALSE(fields_of(third, "alice").empty());
  }
}

TEST_CASE("status is tracked apart from the object") {
  const auto& type = type_of("", "Pod");
  Json pod = json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},
    "spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Pending"}})");
  api::track_update(type, Json(), pod, options("kubectl", "v1"));
  CHECK(fields_of(pod, "kubectl").find("status") == std::string::npos);
  pod["metadata"].set("uid", "u");
  Json changed = pod;
  changed["status"].set("phase", "Running");
  changed["status"].set("conditions", json(R"([{"type":"Ready","status":"True"}])"));
  auto how = options("kubelet", "v1");
  how.subresource = "status";
  api::track_update(type, pod, changed, how);
  CHECK(
      fields_of(changed, "kubelet") ==
      R"({"f:status":{"f:conditions":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"f:status":{},"f:type":{}}},"f:phase":{}}})");
  CHECK(changed["metadata"]["managedFields"].items()[1]["subresource"].as_string() == "status");
}

TEST_CASE("an applied object owns what it says, and a second apply changes nothing") {
  const auto& type = type_of("apps", "Deployment");
  Json first = apply(type, Json(), json(kDeployment), options("kubectl"));
  CHECK(fields_of(first, "kubectl") ==
        R"({"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},)"
        R"("f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":)"
        R"({"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":)"
        R"({"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}})");
  CHECK(first["metadata"]["managedFields"].items()[0]["operation"].as_string() == "Apply");
  Json second = apply(type, first, json(kDeployment), options("kubectl", "apps/v1", 100));
  CHECK(codec::write_json(second) == codec::write_json(first));
}

TEST_CASE("a changed field of another manager is a conflict in upstream's words") {
  const auto& type = type_of("apps", "Deployment");
  Json live = json(kDeployment);
  live["metadata"].set("uid", "u");
  Json base = live;
  api::track_update(type, Json(), live, options("kubectl-client-side-apply"));
  Json applied = json(kDeployment);
  applied["spec"].set("replicas", 5);
  ApiError error = apply_error(type, live, applied, options("me"));
  CHECK(error.code == 409);
  CHECK(error.reason == api::Reason::conflict);
  CHECK(error.message ==
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: "
        ".spec.replicas");
  REQUIRE(error.causes.size() == 1);
  CHECK(error.causes[0].reason == "FieldManagerConflict");
  CHECK(error.causes[0].message == "conflict with \"kubectl-client-side-apply\" using apps/v1");
  CHECK(error.causes[0].field == ".spec.replicas");

  applied["spec"]["template"]["spec"]["containers"].mutable_items()[0].set("image", "other");
  error = apply_error(type, live, applied, options("me"));
  CHECK(error.message ==
        "Apply failed with 2 conflicts: conflicts with \"kubectl-client-side-apply\" using "
        "apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name=\"c\"].image");

  auto forced = options("me");
  forced.force = true;
  Json merged = apply(type, live, applied, forced);
  CHECK(merged["spec"]["replicas"].as_int() == 5);
  CHECK(fields_of(merged, "kubectl-client-side-apply").find("f:replicas") == std::string::npos);
  CHECK(fields_of(merged, "me").find("f:replicas") != std::string::npos);
}

TEST_CASE("equal values are shared without a conflict") {
  const auto& type = type_of("apps", "Deployment");
  Json live = apply(type, Json(), json(kDeployment), options("a"));
  Json merged = apply(type, live, json(kDeployment), options("b"));
  CHECK(fields_of(merged, "a") == fields_of(merged, "b"));

  // What both own stays when one of them lets it go.
  Json without = json(kDeployment);
  without["spec"].erase("replicas");
  merged = apply(type, merged, without, options("a"));
  CHECK(merged["spec"]["replicas"].as_int() == 3);
  merged = apply(type, merged, without, options("b"));
  CHECK(merged["spec"]["replicas"].is_null());
}

TEST_CASE("what only this manager applied is removed with it") {
  const auto& type = type_of("", "Pod");
  Json first =
      json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"1","y":"2"},
      "finalizers":["f/a","f/b"]},
    "spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]},
                          {"name":"d","image":"i"}],"nodeSelector":{"k":"v"}}})");
  Json live = apply(type, Json(), first, options("me", "v1"));
  // Another manager adds an item and a label.
  Json changed = live;
  changed["metadata"].set("uid", "u");
  changed["metadata"]["labels"].set("z", "3");
  changed["spec"]["containers"].mutable_items()[0].set("imagePullPolicy", "Always");
  api::track_update(type, live, changed, options("other", "v1"));
  Json second = json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"y":"2"},
      "finalizers":["f/b"]},
    "spec":{"containers":[{"name":"c","image":"i","env":[{"name":"B","value":"2"}]}]}})");
  Json merged = apply(type, changed, second, options("me", "v1"));
  CHECK(merged["metadata"]["labels"] == json(R"({"y":"2","z":"3"})"));
  CHECK(merged["metadata"]["finalizers"] == json(R"(["f/b"])"));
  CHECK(
      merged["spec"] ==
      json(
          R"({"containers":[{"name":"c","image":"i","imagePullPolicy":"Always","env":[{"name":"B","value":"2"}]}]})"));
}

TEST_CASE("lists keep the order of the applied items among those of others") {
  const auto& type = type_of("", "Pod");
  auto pod = [&](std::initializer_list<const char*> names) {
    Json object = json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{}})");
    for (const char* name : names)
      object["spec"]["containers"].push_back(Json::object({{"name", name}, {"image", "i"}}));
    return object;
  };
  auto order = [](const Json& object) {
    std::string text;
    for (const auto& item : object["spec"]["containers"].items()) text += item["name"].as_string();
    return text;
  };
  auto merged = [&](std::initializer_list<const char*> live,
                    std::initializer_list<const char*> applied) {
    return order(apply(type, pod(live), pod(applied), options("me", "v1")));
  };
  CHECK(merged({"a", "b", "c"}, {"c", "a"}) == "bca");
  CHECK(merged({"a", "b"}, {"x"}) == "abx");
  CHECK(merged({"a", "b", "c"}, {"a", "x", "c"}) == "abxc");
  CHECK(merged({}, {"z", "y"}) == "zy");
}

TEST_CASE("atomic lists and structs are taken as a whole") {
  const auto& type = type_of("apps", "Deployment");
  Json live = apply(type, Json(), json(kDeployment), options("a"));
  Json applied = json(kDeployment);
  applied["spec"]["selector"] = json(R"({"matchLabels":{"other":"x"}})");
  ApiError error = apply_error(type, live, applied, options("b"));
  CHECK(error.message == "Apply failed with 1 conflict: conflict with \"a\": .spec.selector");
  auto forced = options("b");
  forced.force = true;
  CHECK(apply(type, live, applied, forced)["spec"]["selector"] ==
        json(R"({"matchLabels":{"other":"x"}})"));
}

TEST_CASE("kubectl takes over what its own client-side apply set") {
  const auto& type = type_of("", "ConfigMap");
  Json live = json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","annotations":{
    "kubectl.kubernetes.io/last-applied-configuration":
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"data\":{\"x\":\"1\"}}"}},
    "data":{"x":"1","y":"2"}})");
  api::track_update(type, Json(), live, options("kubectl-client-side-apply", "v1"));
  Json applied =
      json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"9"}})");
  Json merged = apply(type, live, applied, options("kubectl", "v1"));
  CHECK(merged["data"]["x"].as_string() == "9");
  CHECK(
      merged["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
          .as_string() ==
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"data\":{\"x\":"
      "\"9\"}}\n");
  // What it did not set is a conflict, and another manager gets all of them.
  applied["data"].set("y", "8");
  ApiError error = apply_error(type, live, applied, options("kubectl", "v1"));
  CHECK(error.causes.size() == 1);
  CHECK(error.causes[0].field == ".data.y");
  CHECK(apply_error(type, live, applied, options("me", "v1")).causes.size() == 2);
}

TEST_CASE("a last applied configuration that is no object gives nothing away") {
  const auto& type = type_of("", "ConfigMap");
  for (const char* last : {"[]", "7", "null"}) {
    Json live = json(std::string(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a",
      "annotations":{"kubectl.kubernetes.io/last-applied-configuration":")") +
                     last + R"("}},"data":{"x":"1"}})");
    api::track_update(type, Json(), live, options("kubectl-client-side-apply", "v1"));
    Json applied =
        json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"9"}})");
    CHECK(apply_error(type, live, applied, options("kubectl", "v1")).causes.size() == 1);
  }
}

TEST_CASE("fields of an untracked object belong to before-first-apply") {
  const auto& type = type_of("", "ConfigMap");
  Json live = json(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"u"},"data":{"x":"1"}})");
  Json applied =
      json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"z":"1"}})");
  Json merged = apply(type, live, applied, options("me", "v1"));
  CHECK(fields_of(merged, "before-first-apply") == R"({"f:data":{".":{},"f:x":{}}})");
  CHECK(fields_of(merged, "me") == R"({"f:data":{"f:z":{}}})");
}

TEST_CASE("a bad configuration is refused with its paths") {
  const auto& type = type_of("", "Pod");
  auto message = [&](const char* text) {
    return apply_error(type, Json(), json(text), options("me", "v1")).message;
  };
  const std::string prefix = "failed to create typed patch object (n/a; v1, Kind=Pod): ";
  CHECK(
      message(
          R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"},"spec":{"foo":1}})") ==
      prefix + ".spec.foo: field not declared in schema");
  CHECK(message(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"},
                    "spec":{"containers":[{"name":"a"},{"name":"a"}]}})") ==
        prefix + ".spec.containers: duplicate entries for key [name=\"a\"]");
  CHECK(message(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"},
                    "spec":{"activeDeadlineSeconds":"x","containers":[{}]}})") ==
        prefix +
            "errors:\n  .spec.activeDeadlineSeconds: expected numeric (int or float), got string\n"
            "  .spec.containers: element 0: associative list with keys has an element that omits "
            "all key fields [\"name\"] (and doesn't have default values for any key fields)");
  CHECK(message(R"({"apiVersion":"v2","kind":"Pod","metadata":{"name":"a"}})") ==
        "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1");
  CHECK(message(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","managedFields":[]}})") ==
        "metadata.managedFields must be nil");
}

TEST_CASE("at most ten updaters are kept apart") {
  const auto& type = type_of("", "ConfigMap");
  Json live =
      json(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}})");
  api::track_update(type, Json(), live, options("m0", "v1", 0));
  live["metadata"].set("uid", "u");
  for (int i = 1; i < 30; ++i) {
    Json changed = live;
    changed["data"].set("k" + std::to_string(i), "v");
    api::track_update(type, live, changed, options("m" + std::to_string(i), "v1", i));
    live = changed;
  }
  const Json& entries = live["metadata"]["managedFields"];
  CHECK(entries.size() == 10);
  CHECK(entries.items()[0]["manager"].as_string() == "ancient-changes");
  std::string all;
  for (const auto& entry : entries.items()) all += codec::write_json(entry["fieldsV1"]);
  for (int i = 1; i < 30; ++i)
    CHECK(all.find("\"f:k" + std::to_string(i) + "\"") != std::string::npos);
}

TEST_CASE("entries of versions that are gone are dropped") {
  const auto& type = type_of("apps", "Deployment");
  Json live = json(kDeployment);
  api::track_update(type, Json(), live, options("me"));
  live["metadata"].set("uid", "u");
  live["metadata"]["managedFields"].mutable_items()[0].set("apiVersion", "apps/v1beta1");
  Json changed = live;
  changed["spec"].set("replicas", 4);
  api::track_update(type, live, changed, options("you"));
  CHECK(changed["metadata"]["managedFields"].size() == 1);
  CHECK(fields_of(changed, "you") == R"({"f:spec":{"f:replicas":{}}})");
}
