#include <skiff/api/table.h>

#include <catch2/catch.hpp>

#include "api/table_format.h"
#include "unit/api/oracle.h"

using namespace skiff;
using namespace skiff::api;

namespace {

const base::WallTime kNow = *base::parse_rfc3339("2024-01-01T12:00:00Z");

codec::Json json(std::string_view text) {
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return std::move(value).value();
}

std::string cells(std::string_view group, std::string_view resource, std::string_view object) {
  const ResourceInfo& info = *find_resource(group, "v1", resource);
  const codec::Json row = table_cells(info, json(object), kNow);
  CHECK(row.size() == table_columns(info).size());
  std::string out;
  for (const codec::Json& cell : row.items()) {
    if (!out.empty()) out += "|";
    out += cell.is_string() ? std::string(cell.as_string()) : codec::write_json(cell);
  }
  return out;
}

// The status column of a pod with one container.
std::string pod(std::string_view status, std::string_view more = "") {
  return cells("", "pods",
               R"({"metadata":{"name":"p","creationTimestamp":"2024-01-01T11:00:00Z")" +
                   std::string(more) + R"(},"spec":{"nodeName":"n","containers":[{"name":"c"}],
                   "initContainers":[{"name":"i"},{"name":"j"}]},"status":)" +
                   std::string(status) + "}");
}

}  // namespace

TEST_CASE("durations print as upstream's") {
  auto text = [](std::int64_t seconds) {
    return human_duration(base::Duration(seconds * 1'000'000'000));
  };
  CHECK(text(-2) == "<invalid>");
  CHECK(text(-1) == "0s");
  CHECK(text(119) == "119s");
  CHECK(text(120) == "2m");
  CHECK(text(130) == "2m10s");
  CHECK(text(600) == "10m");
  CHECK(text(3 * 3600 - 1) == "179m");
  CHECK(text(3 * 3600) == "3h");
  CHECK(text(3 * 3600 + 60) == "3h1m");
  CHECK(text(47 * 3600) == "47h");
  CHECK(text(48 * 3600) == "2d");
  CHECK(text(49 * 3600) == "2d1h");
  CHECK(text(8 * 86400 + 3600) == "8d");
  CHECK(text(2LL * 365 * 86400) == "2y");
  CHECK(text(2LL * 365 * 86400 + 86400) == "2y1d");
  CHECK(text(9LL * 365 * 86400 + 86400) == "9y");
}

TEST_CASE("the life of a pod as kubectl shows it") {
  CHECK(pod(R"({"phase":"Pending"})") == "p|0/1|Pending|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Pending","initContainerStatuses":[
        {"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"running":{}}}]})") ==
        "p|0/1|Init:1/2|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Pending","initContainerStatuses":[
        {"name":"i","restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})") ==
        "p|0/1|Init:CrashLoopBackOff|2|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Failed","initContainerStatuses":[
        {"name":"i","state":{"terminated":{"exitCode":3,"signal":9}}}]})") ==
        "p|0/1|Init:Signal:9|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Pending","containerStatuses":[
        {"name":"c","state":{"waiting":{"reason":"ImagePullBackOff"}}}]})") ==
        "p|0/1|ImagePullBackOff|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Running","podIPs":[{"ip":"10.42.0.5"}],"containerStatuses":[
        {"name":"c","ready":true,"restartCount":3,"state":{"running":{}},
         "lastState":{"terminated":{"finishedAt":"2024-01-01T11:55:00Z"}}}]})") ==
        "p|1/1|Running|3 (5m ago)|60m|10.42.0.5|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Succeeded","containerStatuses":[
        {"name":"c","state":{"terminated":{"reason":"Completed"}}}]})") ==
        "p|0/1|Completed|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Failed","containerStatuses":[
        {"name":"c","state":{"terminated":{"exitCode":137}}}]})") ==
        "p|0/1|ExitCode:137|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Failed","reason":"Evicted"})") ==
        "p|0/1|Evicted|0|60m|<none>|n|<none>|<none>");
  const std::string deleted = R"(,"deletionTimestamp":"2024-01-01T11:59:00Z")";
  CHECK(pod(R"({"phase":"Running"})", deleted) == "p|0/1|Terminating|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Running","reason":"NodeLost"})", deleted) ==
        "p|0/1|Unknown|0|60m|<none>|n|<none>|<none>");
  CHECK(pod(R"({"phase":"Failed"})", deleted) == "p|0/1|Failed|0|60m|<none>|n|<none>|<none>");
}

TEST_CASE("sidecars and readiness gates count") {
  CHECK(cells("", "pods", R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}],
      "initContainers":[{"name":"s","restartPolicy":"Always"}],
      "readinessGates":[{"conditionType":"a"},{"conditionType":"b"}]},
      "status":{"phase":"Running","conditions":[{"type":"a","status":"True"},
      {"type":"Initialized","status":"True"}],
      "initContainerStatuses":[{"name":"s","ready":true,"started":true,"restartCount":1,
        "state":{"running":{}}}],
      "containerStatuses":[{"name":"c","ready":true,"restartCount":1,"state":{"running":{}}}]}})") ==
        "p|2/2|Running|2|<unknown>|<none>|<none>|<none>|1/2");
}

TEST_CASE("nodes, services and endpoints") {
  CHECK(cells("", "nodes", R"({"metadata":{"name":"n","labels":{
      "node-role.kubernetes.io/worker":"","node-role.kubernetes.io/control-plane":""}},
      "spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],
      "addresses":[{"type":"InternalIP","address":"10.0.0.1"}],
      "nodeInfo":{"kubeletVersion":"v1.36.0"}}})") ==
        "n|Ready,SchedulingDisabled|control-plane,worker|<unknown>|v1.36.0|10.0.0.1|<none>|"
        "<unknown>|<unknown>|<unknown>");
  CHECK(cells("", "nodes", R"({"metadata":{"name":"n"}})").substr(0, 16) == "n|Unknown|<none>");
  CHECK(cells("", "services", R"({"metadata":{"name":"s"},"spec":{"type":"NodePort",
      "clusterIP":"10.43.0.9","clusterIPs":["10.43.0.9"],"selector":{"b":"2","a":"1"},
      "ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})") ==
        "s|NodePort|10.43.0.9|<none>|80:30080/TCP,53/UDP|<unknown>|a=1,b=2");
  CHECK(cells("", "services", R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer"}})") ==
        "s|LoadBalancer|<none>|<pending>|<none>|<unknown>|<none>");
  CHECK(cells("", "services", R"({"metadata":{"name":"s"},"spec":{"type":"ExternalName",
      "externalName":"example.com"}})") ==
        "s|ExternalName|<none>|example.com|<none>|<unknown>|<none>");
  CHECK(cells("", "endpoints", R"({"metadata":{"name":"e"},"subsets":[{"addresses":[
      {"ip":"10.0.0.1"},{"ip":"10.0.0.2"},{"ip":"fd00::1"}],"ports":[{"port":1},{"port":2}]}]})") ==
        "e|10.0.0.1:1,10.0.0.2:1,[fd00::1]:1 + 3 more...|<unknown>");
  CHECK(cells("", "endpoints", R"({"metadata":{"name":"e"}})") == "e|<none>|<unknown>");
  CHECK(cells("discovery.k8s.io", "endpointslices", R"({"metadata":{"name":"e"},
      "addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"]}]})") ==
        "e|IPv4|80|10.0.0.1|<unknown>");
  CHECK(cells("discovery.k8s.io", "endpointslices", R"({"metadata":{"name":"e"},
      "addressType":"IPv4"})") == "e|IPv4|<unset>|<unset>|<unknown>");
}

TEST_CASE("workloads, configuration and events") {
  const std::string spec = R"("spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},
      "template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}})";
  CHECK(cells("apps", "deployments",
              R"({"metadata":{"name":"d"},)" + spec +
                  R"(,"status":{"readyReplicas":2,"updatedReplicas":3}})") ==
        "d|2/3|3|0|<unknown>|a,b|x,y|app=web");
  CHECK(cells("apps", "replicasets", R"({"metadata":{"name":"r"},)" + spec + "}") ==
        "r|3|0|0|<unknown>|a,b|x,y|app=web");
  CHECK(
      cells("", "secrets", R"({"metadata":{"name":"s"},"type":"Opaque","data":{"a":"","b":""}})") ==
      "s|Opaque|2|<unknown>");
  CHECK(cells("", "configmaps", R"({"metadata":{"name":"s"},"data":{"a":""},
      "binaryData":{"b":""}})") == "s|2|<unknown>");
  CHECK(cells("", "namespaces", R"({"metadata":{"name":"s"},"status":{"phase":"Active"}})") ==
        "s|Active|<unknown>");
  CHECK(cells("coordination.k8s.io", "leases", R"({"metadata":{"name":"l"},
      "spec":{"holderIdentity":"n1"}})") == "l|n1|<unknown>");
  CHECK(cells("", "events", R"({"metadata":{"name":"e"},"type":"Warning","reason":"Failed",
      "involvedObject":{"kind":"Pod","name":"p","fieldPath":"spec.containers{c}"},
      "source":{"component":"kubelet","host":"n"},"message":" oops\n","count":4,
      "firstTimestamp":"2024-01-01T11:50:00Z","lastTimestamp":"2024-01-01T11:59:00Z"})") ==
        "60s|Warning|Failed|pod/p|spec.containers{c}|kubelet, n|oops|10m|4|e");
  CHECK(cells("events.k8s.io", "events", R"({"metadata":{"name":"e"},"type":"Normal",
      "reason":"R","regarding":{"kind":"Pod","name":"p"},"reportingController":"c","note":"n",
      "eventTime":"2024-01-01T11:59:00.000000Z"})") == "60s|Normal|R|pod/p||c|n|60s|1|e");
  CHECK(table_columns(*find_resource("", "v1", "bindings")).back().name == "Created At");
  const codec::Json pod_columns = table_column_definitions(*find_resource("", "v1", "pods"));
  CHECK(pod_columns.items()[0] ==
        json(R"({"name":"Name","type":"string","format":"name","description":"","priority":0})"));
}

TEST_CASE("columns are those of the recorded facts") {
  auto facts = tests::read_oracle_json("../facts/table-columns.json");
  SKIFF_SKIP_WITHOUT(facts, "table-columns.json");
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {"pods", "pod"},
      {"services", "service"},
      {"nodes", "node"},
      {"endpoints", "endpoint"},
      {"events", "event"},
      {"namespaces", "namespace"},
      {"secrets", "secret"},
      {"configmaps", "configMap"},
      {"serviceaccounts", "serviceAccount"},
      {"leases", "lease"},
      {"deployments", "deployment"},
      {"replicasets", "replicaSet"},
      {"endpointslices", "endpointSlice"}};
  for (const ResourceInfo& info : all_resources())
    for (const auto& [resource, name] : pairs) {
      if (info.resource != resource) continue;
      codec::Json columns = codec::Json::array();
      for (const TableColumn& column : table_columns(info))
        columns.push_back(
            codec::Json::array({column.name, column.type, column.format, column.priority}));
      INFO(resource);
      CHECK(columns == facts->at({"columns", name}));
    }
}
