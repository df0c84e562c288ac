#include <skiff/api/defaults.h>
#include <skiff/api/validation.h>

#include <catch2/catch.hpp>

using namespace skiff;
using codec::Json;

namespace {

Json json(std::string_view text) {
  INFO(text);
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return *value;
}

const api::ResourceInfo& resource_of(std::string_view group, std::string_view kind) {
  const auto* resource = api::find_kind(group, "v1", kind);
  REQUIRE(resource != nullptr);
  return *resource;
}

Json defaulted(const api::ResourceInfo& resource, Json object) {
  object.set("kind", resource.kind);
  object.set("apiVersion", resource.group.empty()
                               ? std::string(resource.version)
                               : std::string(resource.group) + "/" + std::string(resource.version));
  api::apply_defaults(*resource.type, object);
  return object;
}

std::vector<std::string> messages(const api::FieldErrors& errors) {
  std::vector<std::string> texts;
  for (const auto& error : errors) texts.push_back(error.message());
  return texts;
}

// A small valid pod with members of spec, and of its only container, merged in.
Json pod_with(std::string_view spec = "{}", std::string_view container = "{}") {
  Json pod = json(R"({"metadata":{"name":"p","namespace":"n"},
                      "spec":{"containers":[{"name":"c","image":"i"}]}})");
  const Json spec_json = json(spec);
  for (const auto& member : spec_json.members()) pod["spec"].set(member.key, member.value);
  Json& first = pod["spec"]["containers"].mutable_items()[0];
  const Json container_json = json(container);
  for (const auto& member : container_json.members()) first.set(member.key, member.value);
  return pod;
}

std::vector<std::string> create_errors(std::string_view group, std::string_view kind, Json object) {
  const auto& resource = resource_of(group, kind);
  return messages(api::validate_create(resource, defaulted(resource, std::move(object))));
}

std::vector<std::string> update_errors(std::string_view group, std::string_view kind, Json object,
                                       Json old_object, std::string_view subresource = "") {
  const auto& resource = resource_of(group, kind);
  return messages(api::validate_update(resource, subresource,
                                       defaulted(resource, std::move(object)),
                                       defaulted(resource, std::move(old_object))));
}

using Texts = std::vector<std::string>;

const char* kSubdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

}  // namespace

TEST_CASE("an invalid object is one answer with a cause for every field") {
  const auto& resource = resource_of("apps", "Deployment");
  api::FieldErrors errors{
      {api::FieldError::Type::invalid, "spec.replicas", "-1", "must be greater than or equal to 0"},
      {api::FieldError::Type::required, "spec.selector", "", ""},
      {api::FieldError::Type::required, "spec.selector", "", ""},
  };
  auto error = api::invalid_error(resource, "web", errors);
  CHECK(error.code == 422);
  CHECK(error.message ==
        "Deployment.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: must be greater "
        "than or equal to 0, spec.selector: Required value]");
  CHECK(error.kind == "Deployment");
  CHECK(error.group == "apps");
  REQUIRE(error.causes.size() == 3);
  CHECK(error.causes[0].reason == "FieldValueInvalid");
  CHECK(error.causes[0].message == "Invalid value: -1: must be greater than or equal to 0");
  CHECK(error.causes[0].field == "spec.replicas");
  errors.resize(1);
  CHECK(api::invalid_error(resource_of("", "Pod"), "p", errors).message ==
        "Pod \"p\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to "
        "0");
}

TEST_CASE("metadata is checked in upstream's words") {
  auto errors = [](const char* metadata) {
    Json object = Json::object();
    object.set("metadata", json(metadata));
    return create_errors("", "ConfigMap", object);
  };
  CHECK(errors(R"({"name":"a","namespace":"n"})").empty());
  CHECK(errors(R"({"namespace":"n"})") ==
        Texts{"metadata.name: Required value: name or generateName is required"});
  CHECK(errors(R"({"name":"A_b","namespace":"n"})") ==
        Texts{std::string("metadata.name: Invalid value: \"A_b\": ") + kSubdomain});
  CHECK(errors(R"({"name":"a-x","generateName":"a-","namespace":"n"})").empty());
  CHECK(errors(R"({"name":"a"})") == Texts{"metadata.namespace: Required value"});
  CHECK(errors(R"({"name":"a","namespace":"n","labels":{"a b":"c"}})").size() == 1);
  CHECK(errors(R"({"name":"a","namespace":"n","labels":{"a":"b c"}})") ==
        Texts{"metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or "
              "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
              "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
              "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"});
  CHECK(errors(R"({"name":"a","namespace":"n","finalizers":["foo"]})") ==
        Texts{"metadata.finalizers[0]: Invalid value: \"foo\": name is neither a standard "
              "finalizer name nor is it fully qualified"});
  CHECK(errors(R"({"name":"a","namespace":"n","finalizers":["orphan","foregroundDeletion"]})") ==
        Texts{"metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer "
              "orphan and foregroundDeletion cannot be both set"});
  CHECK(errors(R"({"name":"a","namespace":"n","ownerReferences":[{"apiVersion":"v1","kind":"Pod",
                   "name":"x"}]})") ==
        Texts{"metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"});
  Json big = json(R"({"metadata":{"name":"a","namespace":"n","annotations":{}}})");
  big["metadata"]["annotations"].set("a", std::string(256 * 1024, 'x'));
  CHECK(create_errors("", "ConfigMap", big) ==
        Texts{"metadata.annotations: Too long: may not be more than 262144 bytes"});
  CHECK(create_errors("", "Namespace", json(R"({"metadata":{"name":"a.b"}})")) ==
        Texts{"metadata.name: Invalid value: \"a.b\": must not contain dots"});
  CHECK(create_errors("", "Namespace", json(R"({"metadata":{"name":"a","namespace":"b"}})")) ==
        Texts{"metadata.namespace: Forbidden: not allowed on this type"});
}

TEST_CASE("metadata that must not change does not") {
  Json old_object = json(R"({"metadata":{"name":"a","namespace":"n","uid":"1","generation":2}})");
  Json object = json(R"({"metadata":{"name":"b","namespace":"n","uid":"2","generation":1}})");
  CHECK(update_errors("", "ServiceAccount", object, old_object) ==
        Texts{"metadata.generation: Invalid value: 1: must not be decremented",
              "metadata.name: Invalid value: \"b\": field is immutable",
              "metadata.uid: Invalid value: \"2\": field is immutable"});
}

TEST_CASE("a plain pod is valid, as a pod of every field is") {
  CHECK(create_errors("", "Pod", pod_with()).empty());
  CHECK(
      create_errors(
          "", "Pod",
          pod_with(
              R"({"volumes":[{"name":"a","emptyDir":{"sizeLimit":"1Gi"}},{"name":"b","hostPath":{"path":"/x","type":"Directory"}},
          {"name":"c","configMap":{"name":"m","items":[{"key":"k","path":"p/q"}]}},{"name":"d","secret":{"secretName":"s"}},
          {"name":"e","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels['x']"}}]}},
          {"name":"f","projected":{"sources":[{"configMap":{"name":"m"}},{"downwardAPI":{"items":[]}}]}}],
          "initContainers":[{"name":"init","image":"i"},{"name":"side","image":"i","restartPolicy":"Always",
             "readinessProbe":{"tcpSocket":{"port":1}}}],
          "tolerations":[{"operator":"Exists"},{"key":"a","effect":"NoExecute","tolerationSeconds":5}],
          "affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
             {"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}]}}},
          "securityContext":{"runAsUser":1,"fsGroup":2,"seccompProfile":{"type":"RuntimeDefault"}},
          "dnsConfig":{"nameservers":["1.2.3.4"],"searches":["a.b."]},"hostAliases":[{"ip":"1.2.3.4","hostnames":["a"]}]})",
              R"({"ports":[{"name":"http","containerPort":80},{"containerPort":53,"protocol":"UDP"}],
          "env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
                 {"name":"C","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},
                 {"name":"D","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}],
          "volumeMounts":[{"name":"a","mountPath":"/a","subPath":"x"},{"name":"b","mountPath":"/b"}],
          "resources":{"requests":{"cpu":"100m","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}},
          "livenessProbe":{"httpGet":{"path":"/","port":"http"}},"readinessProbe":{"exec":{"command":["x"]}},
          "lifecycle":{"preStop":{"sleep":{"seconds":5}}},
          "securityContext":{"privileged":true,"capabilities":{"add":["NET_ADMIN"]}}})")) ==
      Texts{});
}

TEST_CASE("bad pods are refused in upstream's words") {
  struct Row {
    const char* spec;
    const char* container;
    Texts errors;
  };
  const Row rows[] = {
      {R"({"containers":[]})", "", {"spec.containers: Required value"}},
      {"{}", R"({"name":""})", {"spec.containers[0].name: Required value"}},
      {"{}", R"({"image":""})", {"spec.containers[0].image: Required value"}},
      {"{}",
       R"({"image":" i"})",
       {"spec.containers[0].image: Invalid value: \" i\": must not have leading or trailing "
        "whitespace"}},
      {"{}",
       R"({"imagePullPolicy":"Odd"})",
       {"spec.containers[0].imagePullPolicy: Unsupported value: \"Odd\": supported values: "
        "\"Always\", \"IfNotPresent\", \"Never\""}},
      {R"({"restartPolicy":"Odd"})",
       "",
       {"spec.restartPolicy: Unsupported value: \"Odd\": supported values: \"Always\", "
        "\"OnFailure\", \"Never\""}},
      {R"({"dnsPolicy":"Odd"})",
       "",
       {"spec.dnsPolicy: Unsupported value: \"Odd\": supported values: "
        "\"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\""}},
      {"{}",
       R"({"ports":[{"containerPort":0}]})",
       {"spec.containers[0].ports[0].containerPort: Required value"}},
      {"{}",
       R"({"ports":[{"containerPort":70000}]})",
       {"spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
        "65535, inclusive"}},
      {"{}",
       R"({"ports":[{"name":"a","containerPort":1},{"name":"a","containerPort":2}]})",
       {"spec.containers[0].ports[1].name: Duplicate value: \"a\""}},
      {"{}",
       R"({"ports":[{"containerPort":1,"hostPort":9},{"containerPort":2,"hostPort":9}]})",
       {"spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//9\""}},
      {"{}", R"({"env":[{"name":""}]})", {"spec.containers[0].env[0].name: Required value"}},
      {"{}",
       R"({"env":[{"name":"a=b"}]})",
       {"spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name "
        "must consist only of printable ASCII characters other than '='"}},
      {"{}",
       R"({"env":[{"name":"A","valueFrom":{}}]})",
       {"spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: "
        "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"}},
      {"{}",
       R"({"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.phase"}}}]})",
       {"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "
        "\"status.phase\": supported values: \"metadata.name\", \"metadata.namespace\", "
        "\"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", "
        "\"status.hostIPs\", \"status.podIP\", \"status.podIPs\""}},
      {"{}",
       R"({"volumeMounts":[{"name":"v","mountPath":"/x"}]})",
       {"spec.containers[0].volumeMounts[0].name: Not found: \"v\""}},
      {R"({"volumes":[{"name":"v","emptyDir":{}}]})",
       R"({"volumeMounts":[{"name":"v","mountPath":"/x"},{"name":"v","mountPath":"/x"}]})",
       {"spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique"}},
      {R"({"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}}]})",
       "",
       {"spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"}},
      {R"({"volumes":[{"name":"v","hostPath":{"path":"/a/../b"}}]})",
       "",
       {"spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"}},
      {R"({"volumes":[{"name":"v","emptyDir":{}},{"name":"v","emptyDir":{}}]})",
       "",
       {"spec.volumes[1].name: Duplicate value: \"v\""}},
      {"{}",
       R"({"resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}})",
       {"spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal "
        "to cpu limit of 1"}},
      {"{}",
       R"({"resources":{"limits":{"cpu":"-1"}}})",
       {"spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or "
        "equal to 0",
        "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than "
        "or equal to 0"}},
      {"{}",
       R"({"resources":{"limits":{"foo":"1"},"requests":{"foo":"1"}}})",
       {"spec.containers[0].resources.limits[foo]: Invalid value: \"foo\": must be a standard "
        "resource for containers",
        "spec.containers[0].resources.requests[foo]: Invalid value: \"foo\": must be a standard "
        "resource for containers"}},
      {"{}",
       R"({"livenessProbe":{}})",
       {"spec.containers[0].livenessProbe: Required value: must specify a handler type"}},
      {"{}",
       R"({"livenessProbe":{"tcpSocket":{"port":1},"successThreshold":2}})",
       {"spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"}},
      {"{}",
       R"({"readinessProbe":{"tcpSocket":{"port":"a_b"}}})",
       {"spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: \"a_b\": must contain "
        "only alpha-numeric characters (a-z, 0-9), and hyphens (-)"}},
      {"{}",
       R"({"lifecycle":{"postStart":{"exec":{}}}})",
       {"spec.containers[0].lifecycle.postStart.exec.command: Required value"}},
      {R"({"initContainers":[{"name":"c","image":"i"}]})",
       "",
       {"spec.initContainers[0].name: Duplicate value: \"c\""}},
      {R"({"initContainers":[{"name":"d","image":"i","livenessProbe":{"tcpSocket":{"port":1}}}]})",
       "",
       {"spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers "
        "without restartPolicy=Always"}},
      {R"({"tolerations":[{"operator":"Equal"}]})",
       "",
       {"spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when "
        "`key` is empty, which means \"match all values and all keys\""}},
      {R"({"activeDeadlineSeconds":0})",
       "",
       {"spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
        "inclusive"}},
      {R"({"securityContext":{"runAsUser":-1}})",
       "",
       {"spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, "
        "inclusive"}},
      {"{}",
       R"({"securityContext":{"privileged":true,"allowPrivilegeEscalation":false}})",
       {"spec.containers[0].securityContext: Invalid value: "
        "{\"privileged\":true,\"allowPrivilegeEscalation\":false}: cannot set "
        "`allowPrivilegeEscalation` to false and `privileged` to true"}},
      {R"({"dnsPolicy":"None"})",
       "",
       {"spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"}},
      {R"({"hostname":"a.b"})",
       "",
       {"spec.hostname: Invalid value: \"a.b\": must not contain dots"}},
      {R"({"ephemeralContainers":[{"name":"e","image":"i"}]})",
       "",
       {"spec.ephemeralContainers: Forbidden: cannot be set on create"}},
      {R"({"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{}}]}}})",
       "",
       {"spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: "
        "Required value: can not be empty"}},
  };
  for (const auto& row : rows) {
    INFO(row.spec << " " << row.container);
    std::string_view container = row.container;
    Json pod = container.empty() ? json(R"({"metadata":{"name":"p","namespace":"n"},"spec":{}})")
                                 : pod_with(row.spec, container);
    if (container.empty()) {
      pod["spec"].set("containers", json(R"([{"name":"c","image":"i"}])"));
      const Json row_spec_json = json(row.spec);
      for (const auto& member : row_spec_json.members()) pod["spec"].set(member.key, member.value);
    }
    Texts errors = create_errors("", "Pod", pod);
    if (std::string_view(row.spec).find("topologyKey") == std::string_view::npos &&
        std::string_view(row.spec).find("podAffinity") != std::string_view::npos)
      errors.resize(1);  // the empty key is no label name either
    CHECK(errors == row.errors);
  }
}

TEST_CASE("a pod changes only where it may") {
  auto errors = [](const char* old_spec, const char* spec, const char* container = "{}") {
    return update_errors("", "Pod", pod_with(spec, container), pod_with(old_spec));
  };
  CHECK(errors("{}", "{}", R"({"image":"other"})").empty());
  CHECK(errors(R"({"activeDeadlineSeconds":10})", R"({"activeDeadlineSeconds":5})").empty());
  CHECK(errors(R"({"activeDeadlineSeconds":5})", R"({"activeDeadlineSeconds":10})") ==
        Texts{"spec.activeDeadlineSeconds: Invalid value: 10: must be less than or equal to "
              "previous value"});
  CHECK(errors("{}", R"({"tolerations":[{"operator":"Exists"}]})").empty());
  CHECK(errors(R"({"tolerations":[{"key":"a","operator":"Exists"}]})", "{}") ==
        Texts{"spec.tolerations: Forbidden: existing toleration can not be modified except its "
              "tolerationSeconds"});
  CHECK(errors("{}", R"({"containers":[{"name":"c","image":"i"},{"name":"d","image":"i"}]})") ==
        Texts{"spec.containers: Forbidden: pod updates may not add or remove containers"});
  const std::string forbidden =
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),"
      "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
      "negative)\n";
  CHECK(errors("{}", "{}", R"({"command":["x"]})") ==
        Texts{forbidden + "+ spec.containers[0].command: [\"x\"]\n"});
  CHECK(errors(R"({"nodeName":"a"})", R"({"nodeName":"b"})") ==
        Texts{forbidden + "- spec.nodeName: \"a\"\n+ spec.nodeName: \"b\"\n"});
  CHECK(errors("{}", "{}", R"({"args":[]})").empty());
}

TEST_CASE("a terminated container does not come back by a status update") {
  Json old_pod = pod_with(R"({"restartPolicy":"Never"})");
  old_pod.set(
      "status",
      json(R"({"containerStatuses":[{"name":"c","state":{"terminated":{"exitCode":0}}}]})"));
  Json pod = old_pod;
  pod.set("status", json(R"({"containerStatuses":[{"name":"c","state":{"running":{}}}],
                             "podIPs":[{"ip":"1.2.3.4"},{"ip":"1.2.3.5"}]})"));
  CHECK(update_errors("", "Pod", pod, old_pod, "status") ==
        Texts{"status.containerStatuses[0].state: Forbidden: may not be transitioned to "
              "non-terminated state",
              "status.podIPs: Invalid value: [{\"ip\":\"1.2.3.4\"},{\"ip\":\"1.2.3.5\"}]: may "
              "specify no more than one IP for each IP family"});
}

TEST_CASE("services are checked in upstream's words") {
  auto errors = [](const char* spec, const char* name = "s") {
    Json service = json(R"({"metadata":{"namespace":"n"}})");
    service["metadata"].set("name", name);
    service.set("spec", json(spec));
    return create_errors("", "Service", service);
  };
  CHECK(errors(R"({"ports":[{"port":80}]})").empty());
  CHECK(errors(R"({"clusterIP":"None"})").empty());
  CHECK(errors(R"({"type":"ExternalName","externalName":"a.b."})").empty());
  CHECK(errors("{}") == Texts{"spec.ports: Required value"});
  CHECK(errors(R"({"ports":[{"port":80}]})", "1s").size() == 1);
  CHECK(errors(R"({"ports":[{"port":80},{"port":81}]})") ==
        Texts{"spec.ports[0].name: Required value", "spec.ports[1].name: Required value"});
  CHECK(errors(R"({"ports":[{"name":"a","port":80},{"name":"b","port":80}]})") ==
        Texts{"spec.ports[1]: Duplicate value: "
              "{\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,"
              "\"TargetPort\":0,\"NodePort\":0}"});
  CHECK(errors(R"({"ports":[{"port":80}],"type":"Odd"})").at(0) ==
        "spec.type: Unsupported value: \"Odd\": supported values: \"ClusterIP\", "
        "\"ExternalName\", \"LoadBalancer\", \"NodePort\"");
  CHECK(errors(R"({"ports":[{"port":80,"nodePort":30000}]})") ==
        Texts{"spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"});
  CHECK(errors(R"({"ports":[{"port":80,"protocol":"ICMP"}]})") ==
        Texts{"spec.ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", "
              "\"TCP\", \"UDP\""});
  CHECK(errors(R"({"type":"ExternalName"})") == Texts{"spec.externalName: Required value"});
  CHECK(errors(R"({"ports":[{"port":80}],"clusterIP":"x"})").at(0) ==
        "spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or "
        "2001:db8::ffff)");
  CHECK(errors(R"({"type":"NodePort","clusterIP":"None","ports":[{"port":80}]})").at(0) ==
        "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort "
        "services");
  CHECK(errors(R"({"ports":[{"port":80}],"sessionAffinity":"ClientIP",
                   "sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}}})") ==
        Texts{"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be "
              "greater than 0 and less than 86400"});
  CHECK(errors(R"({"ports":[{"port":80}],"externalIPs":["127.0.0.1"]})") ==
        Texts{"spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range "
              "(127.0.0.0/8, ::1/128)"});

  Json old_service = json(R"({"metadata":{"name":"s","namespace":"n"},
    "spec":{"clusterIP":"10.43.0.5","clusterIPs":["10.43.0.5"],"ports":[{"port":80}]}})");
  Json service = old_service;
  service["spec"].set("clusterIP", "10.43.0.6");
  service["spec"].set("clusterIPs", json(R"(["10.43.0.6"])"));
  CHECK(update_errors("", "Service", service, old_service) ==
        Texts{"spec.clusterIPs[0]: Invalid value: [\"10.43.0.6\"]: may not change once set"});
}

TEST_CASE("deployments and replica sets select the pods that they make") {
  auto deployment = [](const char* spec) {
    Json object = json(R"({"metadata":{"name":"d","namespace":"n"},"spec":{
      "selector":{"matchLabels":{"a":"b"}},
      "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    const Json spec_json = json(spec);
    for (const auto& member : spec_json.members()) object["spec"].set(member.key, member.value);
    return object;
  };
  auto errors = [&](const char* spec) {
    return create_errors("apps", "Deployment", deployment(spec));
  };
  CHECK(errors("{}").empty());
  CHECK(errors(R"({"replicas":-1})") ==
        Texts{"spec.replicas: Invalid value: -1: must be greater than or equal to 0"});
  CHECK(errors(R"({"selector":null})").at(0) == "spec.selector: Required value");
  CHECK(errors(R"({"selector":{}})") ==
        Texts{"spec.selector: Invalid value: {}: empty selector is invalid for deployment"});
  CHECK(errors(R"({"selector":{"matchLabels":{"x":"y"}}})") ==
        Texts{"spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not "
              "match template `labels`"});
  CHECK(errors(R"({"strategy":{"type":"Odd"}})") ==
        Texts{"spec.strategy: Unsupported value: {\"Type\":\"Odd\",\"RollingUpdate\":null}: "
              "supported values: \"Recreate\", \"RollingUpdate\""});
  CHECK(
      errors(
          R"({"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":0,"maxUnavailable":0}}})") ==
      Texts{"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when "
            "`maxSurge` is 0"});
  CHECK(
      errors(
          R"({"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"x","maxUnavailable":"150%"}}})") ==
      Texts{"spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string "
            "must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
            "for validation is '[0-9]+%')",
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"150%\": must not be "
            "greater than 100%"});
  CHECK(errors(R"({"minReadySeconds":10,"progressDeadlineSeconds":10})") ==
        Texts{"spec.progressDeadlineSeconds: Invalid value: 10: must be greater than "
              "minReadySeconds"});
  Json never = deployment("{}");
  never["spec"]["template"]["spec"].set("restartPolicy", "Never");
  CHECK(create_errors("apps", "Deployment", never) ==
        Texts{"spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
              "\"Always\""});
  CHECK(create_errors("apps", "ReplicaSet", never).size() == 1);
  Json moved = deployment(R"({"selector":{"matchLabels":{"a":"c"}}})");
  moved["spec"]["template"]["metadata"]["labels"].set("a", "c");
  CHECK(update_errors("apps", "Deployment", moved, deployment("{}")) ==
        Texts{"spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable"});
}

TEST_CASE("config maps and secrets have keys, sizes and types") {
  auto object = [](const char* members) {
    Json value = json(R"({"metadata":{"name":"a","namespace":"n"}})");
    const Json members_json = json(members);
    for (const auto& member : members_json.members()) value.set(member.key, member.value);
    return value;
  };
  CHECK(create_errors("", "ConfigMap", object(R"({"data":{"a.b_c-D":"x"}})")).empty());
  CHECK(create_errors("", "ConfigMap", object(R"({"data":{"a b":"x"}})")) ==
        Texts{"data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric "
              "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
              "used for validation is '[-._a-zA-Z0-9]+')"});
  CHECK(create_errors("", "ConfigMap", object(R"({"data":{"a":"x"},"binaryData":{"a":"AA=="}})")) ==
        Texts{"data[a]: Invalid value: \"a\": duplicate of key present in binaryData"});
  Json large = object(R"({"data":{}})");
  large["data"].set("a", std::string((1 << 20) + 1, 'x'));
  CHECK(create_errors("", "ConfigMap", large) ==
        Texts{"[]: Too long: may not be more than 1048576 bytes"});
  CHECK(update_errors("", "ConfigMap", object(R"({"data":{"a":"2"}})"),
                      object(R"({"data":{"a":"1"},"immutable":true})")) ==
        Texts{"immutable: Forbidden: field is immutable when `immutable` is set",
              "data: Forbidden: field is immutable when `immutable` is set"});
  CHECK(create_errors("", "Secret", object(R"({"type":"kubernetes.io/tls"})")) ==
        Texts{"data[tls.crt]: Required value", "data[tls.key]: Required value"});
  CHECK(create_errors(
            "", "Secret",
            object(
                R"({"type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":"e30="}})"))
            .empty());
  CHECK(create_errors("", "Secret", object(R"({"type":"kubernetes.io/dockerconfigjson"})")) ==
        Texts{"data[.dockerconfigjson]: Required value"});
  CHECK(create_errors("", "Secret", object(R"({"type":"kubernetes.io/service-account-token"})")) ==
        Texts{"metadata.annotations[kubernetes.io/service-account.name]: Required value"});
  CHECK(update_errors("", "Secret", object(R"({"type":"a"})"), object(R"({"type":"b"})")) ==
        Texts{"type: Invalid value: \"a\": field is immutable"});
}

TEST_CASE("endpoints, slices, nodes, namespaces, leases and events have their rules") {
  auto object = [](const char* members) {
    Json value = json(R"({"metadata":{"name":"a","namespace":"n"}})");
    const Json members_json = json(members);
    for (const auto& member : members_json.members()) value.set(member.key, member.value);
    return value;
  };
  CHECK(
      create_errors(
          "", "Endpoints",
          object(R"({"subsets":[{"addresses":[{"ip":"127.0.0.1"}],"ports":[{"port":0}]}]})")) ==
      Texts{"subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback "
            "range (127.0.0.0/8, ::1/128)",
            "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"});
  CHECK(
      create_errors("discovery.k8s.io", "EndpointSlice",
                    object(R"({"addressType":"IPv4","endpoints":[{"addresses":["fd00::1"]}]})")) ==
      Texts{"endpoints[0].addresses[0]: Invalid value: \"fd00::1\": must be an IPv4 address"});
  CHECK(create_errors("discovery.k8s.io", "EndpointSlice", object(R"({"endpoints":[]})")) ==
        Texts{"addressType: Required value"});
  CHECK(update_errors("discovery.k8s.io", "EndpointSlice",
                      object(R"({"addressType":"IPv6","endpoints":[]})"),
                      object(R"({"addressType":"IPv4","endpoints":[]})")) ==
        Texts{"addressType: Invalid value: \"IPv6\": field is immutable"});
  Json node = json(
      R"({"metadata":{"name":"a"},"spec":{"podCIDR":"1.0.0.0/24","podCIDRs":["1.0.0.0/24"]}})");
  Json moved = node;
  moved["spec"].set("podCIDRs", json(R"(["2.0.0.0/24"])"));
  CHECK(update_errors("", "Node", moved, node) ==
        Texts{"spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to "
              "valid"});
  CHECK(create_errors("", "Node",
                      json(R"({"metadata":{"name":"a"},"spec":{"taints":[{"key":"k"}]}})")) ==
        Texts{"metadata.taints[0].effect: Required value"});
  CHECK(create_errors("coordination.k8s.io", "Lease",
                      object(R"({"spec":{"leaseDurationSeconds":0}})")) ==
        Texts{"spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"});
  CHECK(
      create_errors("", "Event", object(R"({"involvedObject":{"namespace":"other"}})")) ==
      Texts{"involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"});
  CHECK(create_errors("", "Event", object(R"({"involvedObject":{"namespace":"n"}})")).empty());
  CHECK(create_errors(
            "events.k8s.io", "Event",
            object(R"({"regarding":{"namespace":"n"},"eventTime":"2024-01-01T00:00:00.000000Z",
                        "type":"Normal","reason":"R","action":"A","reportingController":"c",
                        "reportingInstance":"i"})"))
            .empty());
  Json gone = json(R"({"metadata":{"name":"a"},"status":{"phase":"Terminating"}})");
  CHECK(update_errors("", "Namespace", gone, gone, "status") ==
        Texts{"status.Phase: Invalid value: \"Terminating\": may only be 'Active' if "
              "`deletionTimestamp` is empty"});
}

TEST_CASE("accepted objects may be warned about") {
  auto warnings = [](std::string_view group, std::string_view kind, const Json& object) {
    return api::warnings_for(resource_of(group, kind), object);
  };
  CHECK(warnings("", "Pod", pod_with()).empty());
  CHECK(warnings("", "Pod", pod_with("{}", R"({"env":[{"name":"A"},{"name":"A"}],
          "ports":[{"containerPort":1},{"containerPort":1}]})")) ==
        Texts{"spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped "
              "when using apply",
              "spec.containers[0].ports[1]: duplicate port definition with "
              "spec.containers[0].ports[0]"});
  Json dotted = pod_with();
  dotted["metadata"].set("name", "a.b");
  CHECK(warnings("", "Pod", dotted) ==
        Texts{"metadata.name: this is used in the Pod's hostname, which can result in surprising "
              "behavior; a DNS label is recommended: [must not contain dots]"});
  CHECK(warnings("", "Endpoints", Json()).size() == 1);
}

TEST_CASE("objects of the wrong shape are refused or pass, but never crash") {
  for (const char* kind : {"Pod", "Service", "ConfigMap", "Secret", "Node", "Namespace",
                           "Endpoints", "Event", "ServiceAccount"})
    for (const char* text :
         {"{}", "null", "[]", R"({"metadata":7,"spec":[],"status":"x"})",
          R"({"spec":{"containers":{"a":1},"ports":"x","volumes":[1,null]}})",
          R"({"spec":{"containers":[null,7,[]],"tolerations":[[]]},"data":[1]})"}) {
      Json object = json(text);
      const auto& resource = resource_of("", kind);
      CHECK_FALSE(api::validate_create(resource, object).empty());
      api::validate_update(resource, "", object, object);
      api::validate_update(resource, "status", object, Json());
      api::warnings_for(resource, object);
    }
}

TEST_CASE("roles have rules for resources or for paths") {
  const std::string group = "rbac.authorization.k8s.io";
  auto role = [](const char* rule) {
    return json(std::string(R"({"metadata":{"name":"system:a","namespace":"n"},"rules":[)") + rule +
                "]}");
  };
  auto cluster_role = [](std::string_view members) {
    return json(R"({"metadata":{"name":"a:b"},)" + std::string(members) + "}");
  };
  CHECK(create_errors(group, "Role",
                      role(R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})"))
            .empty());
  CHECK(create_errors(group, "Role", role("{}")) ==
        Texts{"rules[0].verbs: Required value: verbs must contain at least one value",
              "rules[0].apiGroups: Required value: resource rules must supply at least one api "
              "group",
              "rules[0].resources: Required value: resource rules must supply at least one "
              "resource"});
  CHECK(create_errors(group, "Role", role(R"({"verbs":["get"],"nonResourceURLs":["/a"]})")) ==
        Texts{"rules[0].nonResourceURLs: Invalid value: [\"/a\"]: namespaced rules cannot apply "
              "to non-resource URLs"});
  CHECK(create_errors(group, "ClusterRole",
                      cluster_role(R"("rules":[{"verbs":["get"],"nonResourceURLs":["/a"]}])"))
            .empty());
  CHECK(create_errors(group, "ClusterRole",
                      cluster_role(R"("rules":[{"verbs":["get"],"nonResourceURLs":["/a"],
                                               "resources":["pods"]}])")) ==
        Texts{"rules[0].nonResourceURLs: Invalid value: [\"/a\"]: rules cannot apply to both "
              "regular resources and non-resource URLs"});
  CHECK(create_errors(group, "ClusterRole", cluster_role(R"("aggregationRule":{})")) ==
        Texts{"aggregationRule.clusterRoleSelectors: Required value: at least one "
              "clusterRoleSelector required if aggregationRule is non-nil"});
  CHECK(create_errors(group, "Role", json(R"({"metadata":{"name":"a%b","namespace":"n"}})")) ==
        Texts{"metadata.name: Invalid value: \"a%b\": may not contain '%'"});
}

TEST_CASE("bindings name a role for good, and subjects of three kinds") {
  const std::string group = "rbac.authorization.k8s.io";
  auto binding = [](const char* reference, const char* subjects) {
    return json(std::string(R"({"metadata":{"name":"b","namespace":"n"},"roleRef":)") + reference +
                ",\"subjects\":" + subjects + "}");
  };
  const char* view = R"({"kind":"ClusterRole","name":"view"})";
  CHECK(create_errors(group, "RoleBinding",
                      binding(view, R"([{"kind":"User","name":"j"},{"kind":"Group","name":"g"},
                                        {"kind":"ServiceAccount","name":"s"}])"))
            .empty());
  CHECK(create_errors(group, "RoleBinding", binding(R"({"kind":"Pod"})", "[]")) ==
        Texts{"roleRef.kind: Unsupported value: \"Pod\": supported values: \"Role\", "
              "\"ClusterRole\"",
              "roleRef.name: Required value"});
  CHECK(create_errors(group, "RoleBinding",
                      binding(view, R"([{"kind":"Robot","name":"r"},{"kind":"User"},
                                        {"kind":"User","name":"u","apiGroup":"x"},
                                        {"kind":"ServiceAccount","name":"S","apiGroup":"x"}])")) ==
        Texts{"subjects[0].kind: Unsupported value: \"Robot\": supported values: "
              "\"ServiceAccount\", \"User\", \"Group\"",
              "subjects[1].name: Required value",
              "subjects[2].apiGroup: Unsupported value: \"x\": supported values: "
              "\"rbac.authorization.k8s.io\"",
              "subjects[3].name: Invalid value: \"S\": a lowercase RFC 1123 subdomain must consist "
              "of lower case alphanumeric characters, '-' or '.', and must start and end with an "
              "alphanumeric character (e.g. 'example.com', regex used for validation is "
              "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
              "subjects[3].apiGroup: Unsupported value: \"x\": supported values: \"\""});
  Json wide = json(R"({"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"view"},
                       "subjects":[{"kind":"ServiceAccount","name":"s"}]})");
  CHECK(create_errors(group, "ClusterRoleBinding", wide) ==
        Texts{"roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
              "subjects[0].namespace: Required value"});
  CHECK(update_errors(group, "RoleBinding",
                      binding(R"({"kind":"ClusterRole","name":"edit"})", "[]"),
                      binding(view, "[]")) ==
        Texts{"roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":"
              "\"ClusterRole\",\"Name\":\"edit\"}: cannot change roleRef"});
}
