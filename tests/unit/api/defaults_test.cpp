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

codec::Json defaulted(std::string_view group, std::string_view kind, std::string_view text) {
  const TypeInfo& type = *find_type(group, "v1", kind);
  codec::Json object = json(text);
  REQUIRE(decode_object(type, object, nullptr).is_ok());
  apply_defaults(type, object);
  codec::Json again = object;
  apply_defaults(type, again);
  CHECK(object == again);
  return object;
}

}  // namespace

TEST_CASE("a small pod gets what upstream adds") {
  CHECK(defaulted("", "Pod", R"({"metadata":{"name":"a"},
      "spec":{"containers":[{"name":"c","image":"nginx","ports":[{"containerPort":80}]}]}})") ==
        json(R"({"metadata":{"name":"a"},"status":{},
      "spec":{"containers":[{"name":"c","image":"nginx","imagePullPolicy":"Always",
        "ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{},
        "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],
      "restartPolicy":"Always","dnsPolicy":"ClusterFirst","terminationGracePeriodSeconds":30,
      "securityContext":{},"schedulerName":"default-scheduler","enableServiceLinks":true}})"));
}

TEST_CASE("the pull policy follows the tag") {
  auto policy = [](std::string_view image) {
    codec::Json pod = defaulted(
        "", "Pod",
        R"({"spec":{"containers":[{"name":"c","image":")" + std::string(image) + R"("}]}})");
    return std::string(pod.at({"spec", "containers"}).items()[0]["imagePullPolicy"].as_string());
  };
  CHECK(policy("nginx") == "Always");
  CHECK(policy("nginx:latest") == "Always");
  CHECK(policy("nginx:1.27") == "IfNotPresent");
  CHECK(policy("localhost:5000/nginx") == "Always");
  CHECK(policy("localhost:5000/nginx:1") == "IfNotPresent");
  CHECK(policy("nginx@sha256:0123") == "IfNotPresent");
  CHECK(policy("nginx:latest@sha256:0123") == "Always");
}

TEST_CASE("requests come from limits in pods and not in templates") {
  const std::string spec =
      R"("spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1","memory":"1Gi"},
         "requests":{"cpu":"100m"}}}]})";
  codec::Json pod = defaulted("", "Pod", "{" + spec + "}");
  CHECK(pod.at({"spec", "containers"}).items()[0].at({"resources", "requests"}) ==
        json(R"({"cpu":"100m","memory":"1Gi"})"));
  codec::Json set = defaulted("apps", "ReplicaSet", R"({"spec":{"template":{)" + spec + "}}}");
  CHECK(
      set.at({"spec", "template", "spec", "containers"}).items()[0].at({"resources", "requests"}) ==
      json(R"({"cpu":"100m"})"));
  CHECK(set.at({"spec", "replicas"}).as_int() == 1);
  CHECK_FALSE(set.at({"spec", "template", "spec"}).contains("enableServiceLinks"));
}

TEST_CASE("volumes and probes") {
  codec::Json pod = defaulted("", "Pod", R"({"spec":{"hostNetwork":true,"serviceAccountName":"sa",
      "containers":[{"name":"c","image":"a:1","ports":[{"containerPort":80}],
        "livenessProbe":{"httpGet":{"port":80}},
        "env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}],
      "volumes":[{"name":"none"},{"name":"host","hostPath":{"path":"/a"}},
        {"name":"secret","secret":{"secretName":"s"}},
        {"name":"token","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},
          {"downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"metadata.name"}}]}}]}}]}})");
  const codec::Json& spec = pod["spec"];
  CHECK(spec["serviceAccount"].as_string() == "sa");
  const codec::Json& container = spec["containers"].items()[0];
  CHECK(container["ports"].items()[0]["hostPort"].as_int() == 80);
  CHECK(container["livenessProbe"] ==
        json(R"({"httpGet":{"port":80,"path":"/","scheme":"HTTP"},"timeoutSeconds":1,
                 "periodSeconds":10,"successThreshold":1,"failureThreshold":3})"));
  CHECK(container["env"].items()[0].at({"valueFrom", "fieldRef", "apiVersion"}).as_string() ==
        "v1");
  const auto& volumes = spec["volumes"].items();
  CHECK(volumes[0] == json(R"({"name":"none","emptyDir":{}})"));
  CHECK(volumes[1] == json(R"({"name":"host","hostPath":{"path":"/a","type":""}})"));
  CHECK(volumes[2] == json(R"({"name":"secret","secret":{"secretName":"s","defaultMode":420}})"));
  CHECK(volumes[3]["projected"]["defaultMode"].as_int() == 420);
  CHECK(volumes[3]["projected"]["sources"]
            .items()[0]
            .at({"serviceAccountToken", "expirationSeconds"})
            .as_int() == 3600);
  CHECK(volumes[3]["projected"]["sources"]
            .items()[1]
            .at({"downwardAPI", "items"})
            .items()[0]
            .at({"fieldRef", "apiVersion"})
            .as_string() == "v1");
}

TEST_CASE("services") {
  CHECK(defaulted("", "Service", R"({"spec":{"ports":[{"port":80}]}})") ==
        json(R"({"metadata":{},"spec":{"ports":[{"port":80,"protocol":"TCP","targetPort":80}],
                 "type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster"},
                 "status":{"loadBalancer":{}}})"));
  codec::Json balanced = defaulted("", "Service",
                                   R"({"spec":{"type":"LoadBalancer","sessionAffinity":"ClientIP",
                                   "ports":[{"port":80,"targetPort":"web"}]}})");
  CHECK(balanced.at({"spec", "externalTrafficPolicy"}).as_string() == "Cluster");
  CHECK(balanced.at({"spec", "allocateLoadBalancerNodePorts"}).as_bool());
  CHECK(balanced.at({"spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"}).as_int() ==
        10800);
  CHECK(balanced.at({"spec", "ports"}).items()[0]["targetPort"].as_string() == "web");
  codec::Json named = defaulted("", "Service", R"({"spec":{"type":"ExternalName"}})");
  CHECK_FALSE(named["spec"].contains("internalTrafficPolicy"));
  CHECK(defaulted("", "Service", R"({"spec":{"type":"NodePort"}})")
            .at({"spec", "externalTrafficPolicy"})
            .as_string() == "Cluster");
}

TEST_CASE("deployments") {
  codec::Json object = defaulted("apps", "Deployment", R"({"spec":{"template":{}}})");
  const codec::Json& spec = object["spec"];
  CHECK(spec["replicas"].as_int() == 1);
  CHECK(spec["revisionHistoryLimit"].as_int() == 10);
  CHECK(spec["progressDeadlineSeconds"].as_int() == 600);
  CHECK(
      spec["strategy"] ==
      json(
          R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}})"));
  CHECK(spec.at({"template", "spec", "restartPolicy"}).as_string() == "Always");
  CHECK_FALSE(spec.contains("selector"));
  codec::Json zero = defaulted("apps", "Deployment",
                               R"({"spec":{"replicas":0,"strategy":{"type":"RollingUpdate",
                               "rollingUpdate":{"maxSurge":0}}}})");
  CHECK(zero.at({"spec", "replicas"}).as_int(-1) == 0);
  CHECK(zero.at({"spec", "strategy", "rollingUpdate"}) ==
        json(R"({"maxSurge":0,"maxUnavailable":"25%"})"));
  CHECK(defaulted("apps", "Deployment", R"({"spec":{"strategy":{"type":"Recreate"}}})")
            .at({"spec", "strategy"}) == json(R"({"type":"Recreate"})"));
}

TEST_CASE("the small kinds") {
  CHECK(defaulted("", "Secret", "{}")["type"].as_string() == "Opaque");
  CHECK(defaulted("", "Namespace", R"({"metadata":{"name":"a"}})") ==
        json(R"({"metadata":{"name":"a","labels":{"kubernetes.io/metadata.name":"a"}},"spec":{},
                 "status":{"phase":"Active"}})"));
  CHECK(defaulted("", "Endpoints", R"({"subsets":[{"ports":[{"port":1}]}]})")["subsets"]
            .items()[0]["ports"] == json(R"([{"port":1,"protocol":"TCP"}])"));
  CHECK(defaulted("discovery.k8s.io", "EndpointSlice", R"({"ports":[{"port":1}]})")["ports"] ==
        json(R"([{"name":"","port":1,"protocol":"TCP"}])"));
  CHECK(defaulted("", "Node", R"({"status":{"capacity":{"cpu":"2","memory":"1500u"}}})")
            .at({"status", "allocatable"}) == json(R"({"cpu":"2","memory":"2m"})"));
  CHECK(defaulted("coordination.k8s.io", "Lease", "{}") == json(R"({"metadata":{},"spec":{}})"));
  CHECK(defaulted("authentication.k8s.io", "TokenRequest", "{}")
            .at({"spec", "expirationSeconds"})
            .as_int() == 3600);
}
