#include "agent/container/plan_env.h"
#include "agent/container/plan_options.h"
#include "agent/container/plan_pod_resources.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {

Json parse(std::string_view text) {
  auto json = codec::parse_json(text);
  REQUIRE(json);
  return *json;
}

const NodeFacts kNode{"node-1", "192.0.2.1", 5ll << 30, 2000, 4ll << 30, 7};

Json make_pod(std::string_view spec) {
  return Json::object({{"metadata", parse(R"({"name":"web","namespace":"shop","uid":"u1",
    "labels":{"b":"2","a":"1"},"annotations":{"note":"hi"}})")},
                       {"spec", parse(spec)}});
}

base::Result<EnvList> env_of(const Json& pod, const ConfigSources& sources,
                             const std::vector<Json>& services = {}) {
  return plan_env(
      {pod, pod["spec"]["containers"].items()[0], "10.42.0.7", kNode, sources, services});
}

std::string value_of(const EnvList& env, std::string_view name) {
  for (const auto& [key, value] : env)
    if (key == name) return value;
  return "<absent>";
}

}  // namespace

TEST_CASE("variables expand as in Kubernetes") {
  const std::string value = "v";
  auto find = [&](std::string_view name) { return name == "A" ? &value : nullptr; };
  struct Row {
    const char *text, *expanded;
  };
  const Row rows[] = {{"$(A)", "v"},    {"x$(A)y$(A)", "xvyv"}, {"$(B)", "$(B)"}, {"$$(A)", "$(A)"},
                      {"$$$(A)", "$v"}, {"$A", "$A"},           {"$(A", "$(A"},   {"$", "$"},
                      {"", ""},         {"$(A)$$", "v$"},       {"$()", "$()"}};
  for (const auto& row : rows) CHECK(expand_variables(row.text, find) == row.expanded);
}

TEST_CASE("environment from values, fields, resources, maps and secrets") {
  Json pod = make_pod(R"json({"serviceAccountName":"sa","containers":[{"name":"a",
    "resources":{"limits":{"cpu":"1500m"}},
    "envFrom":[{"prefix":"P_","configMapRef":{"name":"cm"}},
               {"secretRef":{"name":"gone","optional":true}}],
    "env":[{"name":"ONE","value":"1"},{"name":"TWO","value":"$(ONE)-$(P_key)-$(NO)"},
      {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
      {"name":"LABEL","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a']"}}},
      {"name":"SA","valueFrom":{"fieldRef":{"fieldPath":"spec.serviceAccountName"}}},
      {"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},
      {"name":"MCPU","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"1m"}}},
      {"name":"MEM","valueFrom":{"resourceFieldRef":{"resource":"limits.memory",
         "divisor":"1Mi"}}},
      {"name":"KEY","valueFrom":{"configMapKeyRef":{"name":"cm","key":"key"}}},
      {"name":"SECRET","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},
      {"name":"NONE","valueFrom":{"secretKeyRef":{"name":"s","key":"x","optional":true}}},
      {"name":"ONE","value":"uno"}]}]})json");
  ConfigSources sources;
  sources.config_maps["cm"] = parse(R"({"data":{"key":"value"}})");
  sources.secrets["s"] = parse(R"({"data":{"k":"c2VjcmV0"}})");
  auto env = env_of(pod, sources);
  REQUIRE(env);
  CHECK(value_of(*env, "P_key") == "value");
  CHECK(value_of(*env, "ONE") == "uno");
  CHECK(value_of(*env, "TWO") == "1-value-$(NO)");
  CHECK(value_of(*env, "IP") == "10.42.0.7");
  CHECK(value_of(*env, "LABEL") == "1");
  CHECK(value_of(*env, "SA") == "sa");
  CHECK(value_of(*env, "CPU") == "2");
  CHECK(value_of(*env, "MCPU") == "1500");
  CHECK(value_of(*env, "MEM") == "4096");
  CHECK(value_of(*env, "KEY") == "value");
  CHECK(value_of(*env, "SECRET") == "secret");
  CHECK(value_of(*env, "NONE") == "<absent>");
}

TEST_CASE("what is missing is named in the kubelet's words") {
  struct Row {
    const char *env, *message;
  };
  const Row rows[] = {
      {R"("envFrom":[{"configMapRef":{"name":"x"}}])", R"(configmap "x" not found)"},
      {R"("envFrom":[{"secretRef":{"name":"x"}}])", R"(secret "x" not found)"},
      {R"("env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"k"}}}])",
       "couldn't find key k in ConfigMap shop/cm"},
      {R"("env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}])",
       R"(secret "s" not found)"},
      {R"("env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.phase"}}}])",
       "unsupported fieldPath: status.phase"},
  };
  ConfigSources sources;
  sources.config_maps["cm"] = parse(R"({"data":{}})");
  for (const auto& row : rows) {
    Json pod = make_pod(std::string(R"({"containers":[{"name":"a",)") + row.env + "}]}");
    auto env = env_of(pod, sources);
    REQUIRE_FALSE(env);
    CHECK(env.status().message() == row.message);
  }
}

TEST_CASE("service links are those of the namespace, and kubernetes always") {
  std::vector<Json> services = {
      parse(R"({"metadata":{"name":"my-db","namespace":"shop"},"spec":{"clusterIP":"10.43.0.9",
        "ports":[{"name":"sql","port":5432,"protocol":"TCP"},{"name":"m","port":9,
        "protocol":"UDP"}]}})"),
      parse(R"({"metadata":{"name":"head","namespace":"shop"},"spec":{"clusterIP":"None",
        "ports":[{"port":1}]}})"),
      parse(R"({"metadata":{"name":"other","namespace":"else"},"spec":{"clusterIP":"10.43.0.8",
        "ports":[{"port":1}]}})"),
      parse(R"({"metadata":{"name":"kubernetes","namespace":"default"},"spec":{
        "clusterIP":"10.43.0.1","ports":[{"name":"https","port":443}]}})")};
  Json pod = make_pod(R"({"containers":[{"name":"a"}]})");
  auto env = env_of(pod, {}, services);
  REQUIRE(env);
  CHECK(value_of(*env, "MY_DB_SERVICE_HOST") == "10.43.0.9");
  CHECK(value_of(*env, "MY_DB_SERVICE_PORT") == "5432");
  CHECK(value_of(*env, "MY_DB_SERVICE_PORT_SQL") == "5432");
  CHECK(value_of(*env, "MY_DB_PORT") == "tcp://10.43.0.9:5432");
  CHECK(value_of(*env, "MY_DB_PORT_9_UDP") == "udp://10.43.0.9:9");
  CHECK(value_of(*env, "KUBERNETES_SERVICE_PORT_HTTPS") == "443");
  CHECK(value_of(*env, "HEAD_SERVICE_HOST") == "<absent>");
  CHECK(value_of(*env, "OTHER_SERVICE_HOST") == "<absent>");
  pod["spec"].set("enableServiceLinks", false);
  env = env_of(pod, {}, services);
  CHECK(value_of(*env, "MY_DB_SERVICE_HOST") == "<absent>");
  CHECK(value_of(*env, "KUBERNETES_SERVICE_HOST") == "10.43.0.1");
}

TEST_CASE("resources become shares, quota, limits and an OOM score") {
  Json pod = make_pod(R"({"containers":[{"name":"a","resources":{"requests":{"cpu":"250m",
    "memory":"1Gi"},"limits":{"cpu":"500m","memory":"2Gi"}}}]})");
  auto resources = plan_resources(pod, pod["spec"]["containers"].items()[0], 4ll << 30);
  CHECK(resources.cpu_shares == 256);
  CHECK(resources.cpu_quota_us == 50'000);
  CHECK(resources.cpu_period_us == 100'000);
  CHECK(resources.memory_limit_bytes == 2ll << 30);
  CHECK(resources.oom_score_adj == 750);
  CHECK(plan_cgroup_parent(pod) == "burstable/podu1");
  Json best = make_pod(R"({"containers":[{"name":"a"}]})");
  resources = plan_resources(best, best["spec"]["containers"].items()[0], 4ll << 30);
  CHECK(resources.cpu_shares == 2);
  CHECK(resources.cpu_quota_us == 0);
  CHECK(resources.oom_score_adj == 1000);
  CHECK(plan_cgroup_parent(best) == "besteffort/podu1");
}

TEST_CASE("a container's securityContext wins over the pod's") {
  Json pod = make_pod(R"({"securityContext":{"runAsUser":1000,"runAsGroup":1000,"fsGroup":7,
    "supplementalGroups":[5],"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},
    "containers":[{"name":"a","securityContext":{"runAsUser":2000,"privileged":true,
    "allowPrivilegeEscalation":false,"capabilities":{"add":["CAP_NET_ADMIN"],"drop":["ALL"]}}}]})");
  runtime::ContainerOptions options;
  REQUIRE(plan_container_security(pod, pod["spec"]["containers"].items()[0], options));
  CHECK(options.run_as_user == 2000);
  CHECK(options.run_as_group == 1000);
  CHECK(options.run_as_non_root);
  CHECK(options.supplemental_groups == std::vector<std::int64_t>{5, 7});
  CHECK(options.privileged);
  CHECK(options.no_new_privileges);
  CHECK(options.capabilities_add == std::vector<std::string>{"NET_ADMIN"});
  CHECK(options.capabilities_drop == std::vector<std::string>{"ALL"});
  CHECK(options.seccomp == "RuntimeDefault");
}

TEST_CASE("what this node does not have is refused by name") {
  const char* specs[] = {R"({"hostUsers":false})", R"({"os":{"name":"windows"}})",
                         R"({"runtimeClassName":"gvisor"})",
                         R"({"resources":{"limits":{"cpu":"1"}}})",
                         R"({"initContainers":[{"name":"i","restartPolicy":"Never"}]})"};
  for (const char* spec : specs) {
    auto options = plan_pod_options(make_pod(spec), "node-1", "cluster.local");
    REQUIRE_FALSE(options);
    CHECK(options.code() == base::Code::unimplemented);
  }
  CHECK(plan_pod_options(make_pod(R"({"initContainers":[{"name":"i","restartPolicy":"Always"}]})"),
                         "node-1", ""));
  runtime::ContainerOptions options;
  auto profiled = make_pod(R"({"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}})");
  CHECK(plan_container_security(profiled, Json::object({}), options).code() ==
        base::Code::unimplemented);
}

TEST_CASE("a pod's control group has what its containers may have together") {
  auto plan = [](std::string_view spec) { return plan_pod_resources(make_pod(spec)); };
  auto none = plan(R"({"containers":[{}]})");
  CHECK(none.cpu_shares == 2);
  CHECK(none.cpu_quota_us == 0);
  CHECK(none.memory_limit_bytes == 0);
  const std::string limited = R"({"resources":{"requests":{"cpu":"250m"},
      "limits":{"cpu":"500m","memory":"10Mi"}}})";
  auto two = plan(R"({"overhead":{"cpu":"250m"},"containers":[)" + limited + "," + limited + "]}");
  CHECK(two.cpu_shares == 768);
  CHECK(two.cpu_quota_us == 125'000);
  CHECK(two.cpu_period_us == 100'000);
  CHECK(two.memory_limit_bytes == 20ll << 20);
  auto half = plan(R"({"containers":[{},)" + limited + "]}");
  CHECK(half.cpu_shares == 256);
  CHECK(half.cpu_quota_us == 0);
  // An init container runs alone, a sidecar beside everything that comes after it.
  auto init = plan(R"({"initContainers":[{"resources":{"requests":{"cpu":"1"}}}],"containers":[)" +
                   limited + "]}");
  CHECK(init.cpu_shares == 1024);
  auto sidecar = plan(R"({"initContainers":[{"restartPolicy":"Always",
      "resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"100m"}}}],
      "containers":[)" +
                      limited + "]}");
  CHECK(sidecar.cpu_shares == 1280);
}

TEST_CASE("pods may serve low ports and ping, unless they say otherwise") {
  auto options = plan_pod_options(make_pod("{}"), "node-1", "cluster.local");
  REQUIRE(options);
  using Setting = std::pair<std::string, std::string>;
  CHECK(options->sysctls == std::vector<Setting>{{"net.ipv4.ip_unprivileged_port_start", "0"},
                                                 {"net.ipv4.ping_group_range", "0 2147483647"}});
  auto own = plan_pod_options(make_pod(R"({"securityContext":{"sysctls":[
      {"name":"net.ipv4.ip_unprivileged_port_start","value":"80"}]}})"),
                              "node-1", "cluster.local");
  REQUIRE(own);
  CHECK(own->sysctls.back() == Setting{"net.ipv4.ip_unprivileged_port_start", "80"});
  CHECK(plan_pod_options(make_pod(R"({"hostNetwork":true})"), "node-1", "")->sysctls.empty());
}

TEST_CASE("host names are cut to 63 bytes and follow hostname and subdomain") {
  Json pod = make_pod(R"({"hostname":"h","subdomain":"sub"})");
  CHECK(plan_hostname(pod, "node-1") == "h");
  CHECK(plan_domain(pod, "cluster.local") == "sub.shop.svc.cluster.local");
  pod = make_pod("{}");
  pod["metadata"].set("name", std::string(62, 'a') + "-b");
  CHECK(plan_hostname(pod, "node-1") == std::string(62, 'a'));
  CHECK(plan_hostname(make_pod(R"({"hostNetwork":true})"), "node-1") == "node-1");
  CHECK(plan_hostname(make_pod(R"({"hostnameOverride":"other.example"})"), "node-1") ==
        "other.example");
}

TEST_CASE("the hosts file names the pod and its aliases") {
  Json pod = make_pod(R"({"hostAliases":[{"ip":"192.0.2.9","hostnames":["x","y"]}]})");
  std::string text = plan_hosts_file(pod, "10.42.0.7", "web", "sub.shop.svc.cluster.local");
  CHECK(text.find("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n") == 0);
  CHECK(text.find("10.42.0.7\tweb.sub.shop.svc.cluster.local\tweb\n") != std::string::npos);
  CHECK(text.find("\n# Entries added by HostAliases.\n192.0.2.9\tx\ty\n") != std::string::npos);
}

TEST_CASE("a resolver that only this host reaches is none for pods") {
  CHECK(names_only_this_host("nameserver 127.0.0.53\noptions edns0\n"));
  CHECK(names_only_this_host("nameserver 127.0.0.1\nnameserver ::1\n"));
  CHECK_FALSE(names_only_this_host("nameserver 127.0.0.1\nnameserver 192.0.2.53\n"));
  CHECK_FALSE(names_only_this_host("search example.org\n"));
}

TEST_CASE("resolv.conf follows the DNS policy") {
  DnsFacts facts{{"10.43.0.10"},
                 "cluster.local",
                 "# host\nsearch example.org\nnameserver 192.0.2.53\noptions edns0\n"};
  struct Row {
    const char *spec, *text;
  };
  const char* cluster =
      "search shop.svc.cluster.local svc.cluster.local cluster.local example.org\n"
      "nameserver 10.43.0.10\noptions ndots:5\n";
  const char* host = "search example.org\nnameserver 192.0.2.53\noptions edns0\n";
  const Row rows[] = {
      {"{}", cluster},
      {R"({"hostNetwork":true})", host},
      {R"({"hostNetwork":true,"dnsPolicy":"ClusterFirstWithHostNet"})", cluster},
      {R"({"dnsPolicy":"Default"})", host},
      {R"({"dnsPolicy":"None","dnsConfig":{"nameservers":["192.0.2.1"],"searches":["a.b"],
        "options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}})",
       "search a.b\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"},
      {R"({"dnsConfig":{"options":[{"name":"ndots","value":"1"}]}})",
       "search shop.svc.cluster.local svc.cluster.local cluster.local example.org\n"
       "nameserver 10.43.0.10\noptions ndots:1\n"},
  };
  for (const auto& row : rows) CHECK(plan_resolv_conf(make_pod(row.spec), facts) == row.text);
}
