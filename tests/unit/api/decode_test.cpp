#include <skiff/api/defaults.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::api;

namespace {

codec::Json json(std::string_view text) {
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return std::move(value).value();
}

std::string decode_error(std::string_view group, std::string_view kind, std::string_view text) {
  codec::Json object = json(text);
  base::Status status = decode_object(*find_type(group, "v1", kind), object, nullptr);
  return std::string(status.message());
}

codec::Json decoded(std::string_view group, std::string_view kind, std::string_view text) {
  codec::Json object = json(text);
  REQUIRE(decode_object(*find_type(group, "v1", kind), object, nullptr).is_ok());
  return object;
}

}  // namespace

TEST_CASE("wrong types are refused in upstream's words") {
  CHECK(decode_error("apps", "Deployment", R"({"spec":{"replicas":"three"}})") ==
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type "
        "int32");
  CHECK(decode_error("apps", "Deployment", R"({"spec":{"replicas":3000000000}})") ==
        "json: cannot unmarshal number 3000000000 into Go struct field "
        "DeploymentSpec.spec.replicas of type int32");
  CHECK(decode_error("apps", "Deployment", R"({"spec":{"replicas":1.5}})") ==
        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of "
        "type int32");
  CHECK(decode_error("", "Pod", R"({"metadata":{"labels":{"a":1}}})") ==
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
        "string");
  CHECK(decode_error("", "Pod", R"({"spec":{"containers":{}}})") ==
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type "
        "[]v1.Container");
  CHECK(decode_error("", "Pod", R"({"spec":{"containers":[{"ports":[{"containerPort":"x"}]}]}})") ==
        "json: cannot unmarshal string into Go struct field "
        "ContainerPort.spec.containers.ports.containerPort of type int32");
  CHECK(decode_error("", "Pod", R"({"spec":{"containers":[{"imagePullPolicy":true}]}})") ==
        "json: cannot unmarshal bool into Go struct field "
        "Container.spec.containers.imagePullPolicy of type v1.PullPolicy");
  CHECK(decode_error("", "Pod", R"({"spec":"x"})") ==
        "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec");
  CHECK(decode_error("", "Pod", R"({"spec":{"hostNetwork":"yes"}})") ==
        "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool");
  CHECK(decode_error("", "Pod", R"({"spec":{"nodeSelector":[]}})") ==
        "json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type "
        "map[string]string");
  CHECK(decode_error("", "Pod", R"({"spec":{"containers":[{"resources":{"limits":"x"}}]}})") ==
        "json: cannot unmarshal string into Go struct field "
        "ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList");
  CHECK(decode_error("", "Pod", "[]") ==
        "json: cannot unmarshal array into Go value of type v1.Pod");
  CHECK(decode_error("", "Service", R"({"spec":{"ports":[{"targetPort":true}]}})") ==
        "json: cannot unmarshal bool into Go value of type int32");
  CHECK(decode_error("", "Secret", R"({"data":{"a":"YWJj*"}})") ==
        "illegal base64 data at input byte 4");
  CHECK(decode_error("", "Secret", R"({"data":{"a":"YWJjZ"}})") ==
        "illegal base64 data at input byte 4");
  CHECK(decode_error("", "Pod", R"({"metadata":{"creationTimestamp":"yesterday"}})") ==
        "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" "
        "as \"2006\"");
  CHECK(decode_error("", "Pod",
                     R"({"spec":{"containers":[{"resources":{"limits":{"cpu":"fast"}}}]}})")
            .find("quantities must match the regular expression") != std::string::npos);
}

TEST_CASE("unknown fields are removed and named by path") {
  codec::Json object =
      json(R"({"foo":1,"spec":{"bar":2,"containers":[{"name":"a"},{"name":"b","baz":{"q":1}}]}})");
  std::vector<std::string> unknown;
  REQUIRE(decode_object(*find_type("", "v1", "Pod"), object, &unknown).is_ok());
  CHECK(unknown == std::vector<std::string>{R"(unknown field "foo")", R"(unknown field "spec.bar")",
                                            R"(unknown field "spec.containers[1].baz")"});
  CHECK(object == json(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})"));
}

TEST_CASE("repeated members are named in the order of the text, unknown ones as unknown only") {
  codec::Json object = json(R"({"spec":{"nope":1,"hostname":"a","nodeSelector":{"k":"v"},
      "containers":[{"name":"a","baz":1,"image":"b"}]}})");
  std::vector<std::string> notes;
  REQUIRE(decode_object(*find_type("", "v1", "Pod"), object, &notes,
                        {"spec.nodeSelector.k", "spec.containers[0].image", "spec.nope",
                         "spec.hostname", "spec.hostname"})
              .is_ok());
  CHECK(notes == std::vector<std::string>{R"(unknown field "spec.nope")",
                                          R"(duplicate field "spec.hostname")",
                                          R"(duplicate field "spec.nodeSelector.k")",
                                          R"(unknown field "spec.containers[0].baz")",
                                          R"(duplicate field "spec.containers[0].image")"});
}

TEST_CASE("unknown fields are named at most a hundred times") {
  codec::Json object = codec::Json::object();
  for (int i = 0; i < 1000; ++i) object.set("f" + std::to_string(i), i);
  std::vector<std::string> unknown;
  REQUIRE(decode_object(*find_type("", "v1", "Pod"), object, &unknown).is_ok());
  CHECK(unknown.size() == 100);
  CHECK(object.size() == 0);
}

TEST_CASE("nulls and zero values go as Go's encoder leaves them out") {
  CHECK(decoded("", "Pod", R"({"metadata":{"creationTimestamp":null,"labels":{}},"spec":null})") ==
        json(R"({"metadata":{}})"));
  CHECK(decoded("", "Pod",
                R"({"spec":{"nodeName":"","hostNetwork":false,"priority":0,)"
                R"("tolerations":[],"volumes":[{"name":"v","emptyDir":{}}]}})") ==
        json(R"({"spec":{"priority":0,"volumes":[{"name":"v","emptyDir":{}}]}})"));
  CHECK(decoded("apps", "Deployment", R"({"spec":{"replicas":0,"minReadySeconds":0}})") ==
        json(R"({"spec":{"replicas":0}})"));
  CHECK(decoded("", "ConfigMap", R"({"data":{"a":null,"b":""}})") ==
        json(R"({"data":{"a":"","b":""}})"));
  CHECK(decoded("", "Pod", R"({"spec":{"containers":[null]}})") ==
        json(R"({"spec":{"containers":[{}]}})"));
}

TEST_CASE("times, quantities and bytes get their canonical form") {
  CHECK(
      decoded("", "Pod", R"({"metadata":{"creationTimestamp":"2024-01-02T03:04:05.678+02:00"}})") ==
      json(R"({"metadata":{"creationTimestamp":"2024-01-02T01:04:05Z"}})"));
  CHECK(
      decoded("coordination.k8s.io", "Lease", R"({"spec":{"renewTime":"2024-01-02T03:04:05Z"}})") ==
      json(R"({"spec":{"renewTime":"2024-01-02T03:04:05.000000Z"}})"));
  CHECK(decoded("", "Node", R"({"status":{"capacity":{"cpu":2,"memory":"1024Mi","x":"0.5"}}})") ==
        json(R"({"status":{"capacity":{"cpu":"2","memory":"1Gi","x":"500m"}}})"));
  CHECK(decoded("", "Secret", R"({"data":{"a":"YWJj\n"}})") == json(R"({"data":{"a":"YWJj"}})"));
}

TEST_CASE("decoding twice changes nothing more") {
  codec::Json once = decoded("apps", "Deployment",
                             R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b",
          "resources":{"limits":{"cpu":"1000m"}}}]}},"selector":{"matchLabels":{"a":"b"}}}})");
  codec::Json twice = once;
  REQUIRE(decode_object(*find_type("apps", "v1", "Deployment"), twice, nullptr).is_ok());
  CHECK(once == twice);
}
