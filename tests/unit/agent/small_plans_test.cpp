#include "agent/container/termination_message.h"
#include "agent/images/plan_image_gc.h"
#include "agent/images/plan_pull.h"
#include "agent/node/plan_node.h"
#include "agent/pod/plan_signal.h"
#include "agent/probes/plan_grpc.h"
#include "agent/probes/plan_probe.h"
#include "agent/probes/prober.h"
#include "agent/streams/cri_log.h"
#include "agent/streams/local_channel.h"
#include "agent/volumes/token_cache.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>
#include <skiff/client/node_lease.h>

#include <catch2/catch.hpp>

#include <csignal>

using namespace skiff;
using namespace skiff::agent;
using namespace std::chrono_literals;
using codec::Json;

namespace {

Json parse(std::string_view text) {
  auto json = codec::parse_json(text);
  REQUIRE(json);
  return *json;
}

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'700'000'000);

std::string format_log(const char* options, std::vector<std::string> pieces) {
  auto parsed = plan_log_options(parse(options), kNow);
  REQUIRE(parsed);
  LogFormatter formatter(*parsed);
  std::string out;
  for (const auto& piece : pieces)
    if (!formatter.add(piece, out)) break;
  return out;
}

constexpr const char* kLog =
    "2023-11-14T22:13:00.000000001Z stdout F one\n"
    "2023-11-14T22:13:10.000000002Z stderr P tw\n"
    "2023-11-14T22:13:10.000000003Z stderr F o\n"
    "2023-11-14T22:13:19.000000004Z stdout F three\n";

}  // namespace

TEST_CASE("CRI logs are formatted, filtered and limited") {
  CHECK(format_log("{}", {kLog}) == "one\ntwo\nthree\n");
  CHECK(format_log(R"({"timestamps":true})", {kLog}) ==
        "2023-11-14T22:13:00.000000001Z one\n2023-11-14T22:13:10.000000002Z two\n"
        "2023-11-14T22:13:19.000000004Z three\n");
  CHECK(format_log(R"({"sinceSeconds":5})", {kLog}) == "three\n");
  CHECK(format_log(R"({"sinceTime":"2023-11-14T22:13:10Z"})", {kLog}) == "two\nthree\n");
  CHECK(format_log(R"({"limitBytes":6})", {kLog}) == "one\ntw");
  CHECK(format_log(R"({"stream":"Stderr"})", {kLog}) == "two\n");
  std::vector<std::string> bytes;
  for (const char* c = kLog; *c != 0; ++c) bytes.emplace_back(1, *c);
  CHECK(format_log("{}", bytes) == "one\ntwo\nthree\n");
  CHECK(format_log("{}", {"not a log line\nx\n", kLog}) == "one\ntwo\nthree\n");
  CHECK(format_log("{}", {std::string(200'000, 'x'), "\n", kLog}) == "one\ntwo\nthree\n");
}

TEST_CASE("a log that is not there is explained in the kubelet's words") {
  struct Row {
    const char* status;
    bool previous;
    int attempt;  // -1: an error
    const char* message;
  };
  const Row rows[] = {
      {R"({"state":{"running":{}},"restartCount":2})", false, 2, ""},
      {R"({"state":{"running":{}},"restartCount":2})", true, -1,
       R"(previous terminated container "web" in pod "p" not found)"},
      {R"({"state":{"running":{}},"lastState":{"terminated":{"containerID":"x"}},
        "restartCount":2})",
       true, 1, ""},
      {R"({"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":
        {"containerID":"x"}},"restartCount":2})",
       false, 2, ""},
      {R"({"state":{"waiting":{"reason":"ContainerCreating"}}})", false, -1,
       R"(container "web" in pod "p" is waiting to start: ContainerCreating)"},
      {R"({"state":{"waiting":{"reason":"ErrImagePull"}}})", false, -1,
       R"(container "web" in pod "p" is waiting to start: image can't be pulled)"},
      {R"({"state":{"waiting":{"reason":"ImagePullBackOff"}}})", false, -1,
       R"(container "web" in pod "p" is waiting to start: trying and failing to pull image)"},
  };
  for (const auto& row : rows) {
    Json status = parse(row.status);
    status.set("name", "web");
    Json pod =
        Json::object({{"metadata", Json::object({{"name", "p"}})},
                      {"status", Json::object({{"containerStatuses", Json::array({status})}})}});
    auto attempt = plan_log_attempt(pod, "web", row.previous);
    CHECK(attempt.is_ok() == (row.attempt >= 0));
    if (attempt) {
      CHECK(*attempt == row.attempt);
    } else {
      CHECK(attempt.status().message() == row.message);
      CHECK(attempt.code() == base::Code::invalid_argument);
    }
  }
}

TEST_CASE("the end of a log as a termination message") {
  CHECK(tail_of_log(kLog) == "one\ntwo\nthree\n");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "t stdout F " + std::to_string(i) + "\n";
  std::string tail = tail_of_log(many);
  CHECK(tail.find("120\n") == 0);
  CHECK(tail_of_log("t stdout F " + std::string(5000, 'x') + "\n").size() == 2048);
  CHECK(tail_of_log("").empty());
}

TEST_CASE("the exit code travels as a Status") {
  CHECK(parse(exit_status(0))["status"].as_string() == "Success");
  Json status = parse(exit_status(3));
  CHECK(status["reason"].as_string() == "NonZeroExitCode");
  const Json& cause = std::as_const(status)["details"]["causes"].items()[0];
  CHECK(cause["reason"].as_string() == "ExitCode");
  CHECK(cause["message"].as_string() == "3");
}

TEST_CASE("pull policies") {
  using D = PullDecision;
  struct Row {
    const char *policy, *image;
    bool present;
    D decision;
  };
  const Row rows[] = {
      {"Always", "a:1", true, D::pull},        {"IfNotPresent", "a:1", true, D::use_present},
      {"IfNotPresent", "a:1", false, D::pull}, {"Never", "a:1", true, D::use_present},
      {"Never", "a:1", false, D::refuse},      {"", "a", true, D::pull},
      {"", "a:latest", true, D::pull},         {"", "a:1", true, D::use_present}};
  for (const auto& row : rows) CHECK(plan_pull(row.policy, row.image, row.present) == row.decision);
}

TEST_CASE("credentials come from pull secrets, the most specific first") {
  ConfigSources sources;
  // reg.example u:p, https://reg.example/team t:q, other.example x:y
  sources.secrets["s"] = parse(
      R"({"data":{".dockerconfigjson":"eyJhdXRocyI6eyJyZWcuZXhhbXBsZSI6eyJhdXRoIjoiZFRwdyJ9LCJodHRwczovL3JlZy5leGFtcGxlL3RlYW0iOnsidXNlcm5hbWUiOiJ0IiwicGFzc3dvcmQiOiJxIn0sIm90aGVyLmV4YW1wbGUiOnsiYXV0aCI6ImVEcDUifX19"}})");
  sources.secrets["bad"] = parse(R"({"data":{".dockerconfigjson":"bm90IGpzb24="}})");
  sources.secrets["list"] = parse(R"({"data":{".dockerconfigjson":"W10="}})");
  Json pod = parse(
      R"({"spec":{"imagePullSecrets":[{"name":"bad"},{"name":"list"},{"name":"s"},{"name":"gone"}]}})");
  auto reference = runtime::parse_image_reference("reg.example/team/app:1");
  REQUIRE(reference);
  auto found = plan_credentials(pod, sources, *reference);
  REQUIRE(found.size() == 2);
  CHECK(found[0].username == "t");
  CHECK(found[1].username == "u");
  CHECK(found[1].password == "p");
}

TEST_CASE("probes of a period come at the same ticks, and missed ones do not come at once") {
  auto at = [](base::Duration time) { return base::MonotonicTime{time.count()}; };
  CHECK(plan_next_probe(at(1234ms), 1s, at(1240ms)) == at(2400ms));
  CHECK(plan_next_probe(at(2400ms), 1s, at(2410ms)) == at(3400ms));
  CHECK(plan_next_probe(at(2400ms), 1s, at(3399ms)) == at(3400ms));
  CHECK(plan_next_probe(at(2400ms), 1s, at(7001ms)) == at(7200ms));
}

TEST_CASE("probe results count against their thresholds") {
  ProbeSettings settings =
      plan_probe_settings(parse(R"({"failureThreshold":2,"successThreshold":2})"));
  CHECK(settings.period == 10s);
  CHECK(settings.timeout == 1s);
  ProbeCounter counter(settings);
  CHECK_FALSE(counter.add(true));
  CHECK(counter.add(true) == true);
  CHECK_FALSE(counter.add(false));
  CHECK_FALSE(counter.add(true));
  CHECK_FALSE(counter.add(false));
  CHECK(counter.add(false) == false);
  CHECK(counter.add(false) == false);
}

TEST_CASE("an httpGet takes the port's name, the pod's address and its own headers") {
  Json container = parse(R"({"ports":[{"name":"http","containerPort":8080}]})");
  HttpGet get = make_http_get(parse(R"({"path":"health","port":"http","httpHeaders":[
      {"name":"User-Agent","value":"me"}]})"),
                              container, "10.42.0.7", "kube-probe/1.36");
  CHECK(get.host == "10.42.0.7");
  CHECK(get.port == 8080);
  CHECK(get.path == "/health");
  CHECK(get.headers.at(0).second == "me");
  CHECK(get.headers.size() == 2);
  CHECK(resolve_port(container, Json("none")) == 0);
  CHECK(resolve_port(container, Json(70000)) == 0);
  CHECK(resolve_port(container, Json(80)) == 80);
}

TEST_CASE("tokens are renewed at 80 percent of their life, or after a day") {
  CHECK(token_refresh_age(3600s) == 2880s);
  CHECK(token_refresh_age(24h * 365) == 24h);
}

TEST_CASE("a node's status has the kubelet's conditions, and changes only with the facts") {
  NodeInput input;
  input.name = "node-1";
  input.ip = "192.0.2.1";
  input.version = "v1.36.0+skiff.1";
  input.host.cpus = 4;
  input.host.memory_bytes = 8ll << 30;
  input.host.memory_available_bytes = 4ll << 30;
  input.host.disk_bytes = input.host.disk_available_bytes = 100ll << 30;
  input.host.pids_max = 32768;
  input.host.architecture = "arm64";
  Json status = plan_node_status(input, nullptr, kNow);
  auto reason = [](const Json& of, std::string_view type) {
    Json object = Json::object({{"status", of}});
    return std::string(api::find_condition(object, type)["reason"].as_string());
  };
  CHECK(reason(status, "Ready") == "KubeletReady");
  CHECK(reason(status, "MemoryPressure") == "KubeletHasSufficientMemory");
  CHECK(status["capacity"]["cpu"].as_string() == "4");
  CHECK(status["capacity"]["memory"].as_string() == "8388608Ki");
  Json later = plan_node_status(input, status, kNow + 60s);
  CHECK_FALSE(is_node_status_changed(status, later));
  // The API does not keep the empty list of images.
  Json kept = status;
  kept.erase("images");
  CHECK_FALSE(is_node_status_changed(kept, later));
  CHECK(codec::write_json(plan_node_status_patch(kept, later)) ==
        R"({"conditions":[{"type":"MemoryPressure","lastHeartbeatTime":")" +
            base::format_rfc3339(kNow + 60s) +
            R"("},{"type":"DiskPressure","lastHeartbeatTime":")" +
            base::format_rfc3339(kNow + 60s) + R"("},{"type":"PIDPressure","lastHeartbeatTime":")" +
            base::format_rfc3339(kNow + 60s) + R"("},{"type":"Ready","lastHeartbeatTime":")" +
            base::format_rfc3339(kNow + 60s) + R"("}]})");
  input.host.disk_available_bytes = 5ll << 30;
  input.host.memory_available_bytes = 50ll << 20;
  input.not_ready_message = "container runtime network not ready";
  later = plan_node_status(input, status, kNow + 60s);
  CHECK(is_node_status_changed(status, later));
  const Json patch = plan_node_status_patch(status, later);
  CHECK(patch.size() == 1);
  CHECK(patch["conditions"].items()[1]["reason"].as_string() == "KubeletHasDiskPressure");
  CHECK(patch["conditions"].items()[2].size() == 2);
  CHECK(reason(later, "DiskPressure") == "KubeletHasDiskPressure");
  CHECK(reason(later, "MemoryPressure") == "KubeletHasInsufficientMemory");
  CHECK(reason(later, "Ready") == "KubeletNotReady");
  CHECK(plan_node(input)["metadata"]["labels"]["kubernetes.io/arch"].as_string() == "arm64");
  Json lease = client::plan_lease("node-1", "u", kNow);
  CHECK(lease["spec"]["leaseDurationSeconds"].as_int() == 40);
  CHECK(lease["spec"]["renewTime"].as_string() == "2023-11-14T22:13:20.000000Z");
}

TEST_CASE("images go when the disk fills up, the oldest first, never pinned or used ones") {
  auto image = [](const char* id, int age_minutes, bool pinned = false) {
    runtime::Image out;
    out.id = id;
    out.size_bytes = 4;
    out.pinned = pinned;
    out.last_used_at = kNow - age_minutes * 1min;
    return out;
  };
  ImageGcInput input;
  input.images = {image("new", 1),           image("b", 10),    image("a", 20),
                  image("pinned", 30, true), image("used", 40), image("c", 5)};
  input.used_ids = {"used"};
  input.disk_bytes = 100;
  input.now = kNow;
  input.disk_available_bytes = 20;
  CHECK(plan_image_gc(input).empty());
  input.disk_available_bytes = 13;
  CHECK(plan_image_gc(input) == std::vector<std::string>{"a", "b"});
  input.disk_available_bytes = 0;
  CHECK(plan_image_gc(input) == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("gRPC health: what goes out, what the answers mean") {
  using namespace std::string_literals;
  CHECK(grpc_health_request("") == "\0\0\0\0\0"s);
  CHECK(grpc_health_request("db") == "\0\0\0\0\x04\x0a\x02"s + "db");
  const std::string serving = "\0\0\0\0\x02\x08\x01"s, not_serving = "\0\0\0\0\x02\x08\x02"s;
  auto said = [](const GrpcAnswer& answer) {
    auto result = plan_grpc_health(answer, 1s);
    return result.is_success ? std::string("healthy") : result.output;
  };
  CHECK(said({200, "0", "", serving}) == "healthy");
  CHECK(said({200, "0", "", not_serving}) == "service unhealthy (responded with \"NOT_SERVING\")");
  CHECK(said({200, "0", "", "\0\0\0\0\0"s}) == "service unhealthy (responded with \"UNKNOWN\")");
  CHECK(said({200, "12", "unknown service", ""}) ==
        "error: this server does not implement the grpc health protocol "
        "(grpc.health.v1.Health): unknown service");
  CHECK(said({200, "5", "unknown service", ""}) ==
        "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service");
  CHECK(said({200, "4", "", ""}) == "timeout: health rpc did not complete within 1s");
  for (const auto& damaged :
       {""s, "\0\0\0\0\x09\x08\x01"s, "\x01\0\0\0\x02\x08\x01"s, "\0\0\0\0\x01\x08"s})
    CHECK_FALSE(plan_grpc_health({200, "0", "", damaged}, 1s).is_success);
  CHECK_FALSE(plan_grpc_health({404, "", "", serving}, 1s).is_success);
  CHECK_FALSE(plan_grpc_health({200, "", "", serving}, 1s).is_success);
  CHECK(grpc_connect_failure("10.0.0.1:5", base::unavailable("refused"), 2s) ==
        "timeout: failed to connect service \"10.0.0.1:5\" within 2s: context deadline exceeded");
}

TEST_CASE("signals by name") {
  CHECK(plan_signal("SIGTERM") == SIGTERM);
  CHECK(plan_signal("term") == SIGTERM);
  CHECK(plan_signal("SIGALRM") == SIGALRM);
  CHECK(plan_signal("Sigusr1") == SIGUSR1);
  CHECK(plan_signal("IOT") == SIGABRT);
  CHECK(plan_signal("9") == SIGKILL);
  CHECK(plan_signal("SIGRTMIN+3") == SIGRTMIN + 3);
  CHECK(plan_signal("SIGRTMAX-1") == SIGRTMAX - 1);
  for (const char* none : {"", "SIG", "SIGNONE", "0", "65", "-1", "SIGRTMIN+99", "SIGRTMAX-x"})
    CHECK(plan_signal(none) == SIGTERM);
}

TEST_CASE("a probe follows redirects on its own host") {
  HttpGet get;
  get.host = "10.42.0.7";
  get.port = 8080;
  get.path = "/a/b?x=1";
  auto to = [&](std::string_view location) {
    auto next = plan_redirect(get, location);
    return next ? base::concat(next->scheme, " ", next->host, ":", next->port, next->path)
                : std::string("none");
  };
  CHECK(to("/ok") == "HTTP 10.42.0.7:8080/ok");
  CHECK(to("c#d") == "HTTP 10.42.0.7:8080/a/c");
  CHECK(to("?y") == "HTTP 10.42.0.7:8080/a/b?y");
  CHECK(to("http://10.42.0.7:9090/x") == "http 10.42.0.7:9090/x");
  CHECK(to("https://10.42.0.7") == "https 10.42.0.7:443/");
  CHECK(to("//10.42.0.7/x") == "HTTP 10.42.0.7:80/x");
  CHECK(to("http://elsewhere/x") == "none");
  CHECK(to("mailto:a") == "none");
}
