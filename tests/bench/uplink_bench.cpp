// What 200 workers cost a master, how soon they are back after its restart, and what an update of a
// pod's status costs on the wire. The master is a process of its own; bytes are those of `lo`, so
// run it where nothing else is: `unshare -n sh -c 'ip link set lo up; uplink_bench'`.
#include "unit/apiserver/cluster_fixture.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

using namespace skiff;
using namespace skiff::test;

namespace {

constexpr int kUpdates = 100;

long resident_kb(pid_t pid) {
  std::ifstream status(base::concat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with("RssAnon:")) return std::atol(line.c_str() + 8);
  return 0;
}

std::uint64_t loopback_bytes() {
  std::ifstream devices("/proc/net/dev");
  std::string line;
  while (std::getline(devices, line)) {
    auto at = line.find("lo:");
    if (at != std::string::npos) return std::strtoull(line.c_str() + at + 3, nullptr, 10);
  }
  return 0;
}

// Commands of one letter and answers of one number, over pipes.
struct Pipes {
  int to_master[2], to_bench[2];
  long ask(char command) const {
    SKIFF_ASSERT(write(to_master[1], &command, 1) == 1);
    long answer = 0;
    SKIFF_ASSERT(read(to_bench[0], &answer, sizeof answer) == sizeof answer);
    return answer;
  }
};

codec::Json pod_object() {
  std::string text =
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-7d4b9c6f5-x2x7k","namespace":)"
      R"("default","labels":{"app":"web","pod-template-hash":"7d4b9c6f5"}},"spec":{"nodeName":"n0",)"
      R"("containers":[{"name":"web","image":"registry.example/web:1.2.3","ports":[)"
      R"({"containerPort":8080}],"env":[{"name":"LOG","value":"info"},{"name":"URL","value":)"
      R"("http://backend.default.svc:8080/api"}],"resources":{"requests":{"cpu":"50m","memory":)"
      R"("32Mi"},"limits":{"memory":"64Mi"}},"readinessProbe":{"httpGet":{"path":"/ready","port":)"
      R"(8080}},"volumeMounts":[{"name":"config","mountPath":"/etc/web"}]}],"volumes":[{"name":)"
      R"("config","configMap":{"name":"web"}}]}})";
  auto tree = codec::parse_json(text);
  SKIFF_ASSERT(tree.is_ok());
  return *tree;
}

codec::Json status_patch(int number) {
  auto time = base::concat("2026-11-25T21:", 10 + number / 60 % 50, ":", 10 + number % 50, "Z");
  auto ready = number % 2 == 0 ? "True" : "False";
  std::string text = base::concat(
      R"({"status":{"phase":"Running","hostIP":"10.0.0.9","podIP":"10.42.1.17","conditions":[)"
      R"({"type":"Initialized","status":"True","lastTransitionTime":"2026-11-25T20:00:00Z"},)"
      R"({"type":"Ready","status":")",
      ready, R"(","lastTransitionTime":")", time, R"("},{"type":"ContainersReady","status":")",
      ready, R"(","lastTransitionTime":")", time,
      R"("}],"containerStatuses":[{"name":"web","ready":)", number % 2 == 0 ? "true" : "false",
      R"(,"restartCount":)", number / 2,
      R"(,"image":"registry.example/web:1.2.3","imageID":"sha256:)", std::string(64, 'a'),
      R"(","containerID":"skiff://)", std::string(64, 'b'),
      R"(","state":{"running":{"startedAt":")", time, R"("}}}]}})");
  auto tree = codec::parse_json(text);
  SKIFF_ASSERT(tree.is_ok());
  return *tree;
}

base::Task<long> update_status(client::Client* client, int from) {
  for (int i = from; i < from + kUpdates; ++i) {
    auto patching = client->patch(client::resources::pods, "default", "web-7d4b9c6f5-x2x7k",
                                  client::PatchType::strategic, status_patch(i), "status");
    auto patched = co_await patching;
    SKIFF_ASSERT(patched.is_ok());
  }
  auto getting = client->get(client::resources::pods, "default", "web-7d4b9c6f5-x2x7k");
  auto pod = co_await getting;
  SKIFF_ASSERT(pod.is_ok());
  co_return static_cast<long>(codec::write_json(*pod).size());
}

base::Task<bool> create_pod(client::Client* client) {
  codec::Json account =
      codec::Json::object({{"apiVersion", "v1"},
                           {"kind", "ServiceAccount"},
                           {"metadata", codec::Json::object({{"name", "default"}})}});
  auto creating_account =
      client->create(client::resources::service_accounts, "default", std::move(account));
  (void)co_await creating_account;
  auto creating = client->create(client::resources::pods, "default", pod_object());
  auto made = co_await creating;
  co_return made.is_ok();
}

[[noreturn]] void run_master(const TestAuthority& authority, const Pipes& pipes) {
  close(pipes.to_master[1]);
  close(pipes.to_bench[0]);
  TestMaster master(authority);
  bool knows_sessions = true;
  master.intercept = [&](const http::Request& request) -> std::optional<http::Response> {
    if (request.method != "CONNECT" || knows_sessions) return std::nullopt;
    http::Response refusal;
    refusal.status = 404;
    return refusal;
  };
  master.serve();
  auto port = master.port();
  auto client = master.loopback();
  SKIFF_ASSERT(master.thread().run(create_pod(client.get())));
  int updates = 0;
  char command = 0;
  while (read(pipes.to_master[0], &command, 1) == 1) {
    long answer = port;
    if (command == 'u') {
      answer = master.thread().run(update_status(client.get(), updates));
      updates += kUpdates;
    }
    if (command == 's') master.stop();
    if (command == 'r') master.serve(port);
    if (command == 'o') knows_sessions = false;
    SKIFF_ASSERT(write(pipes.to_bench[1], &answer, sizeof answer) == sizeof answer);
  }
  std::_Exit(0);
}

struct Watcher {
  client::Resource resource;
  std::string fields;
};
const Watcher kWatchers[] = {
    {client::resources::pods, "spec.nodeName=n0"},
    {client::resources::nodes, "metadata.name=n0"},
    {client::resources::services, ""},
    {client::resources::endpoint_slices, ""},
    {client::resources::namespaces, ""},
    {client::resources::config_maps, "metadata.name=web"},
};

base::Task<bool> run_uplink(client::Uplink* uplink, base::CancelToken cancel) {
  auto running = uplink->run(cancel);
  co_await running;
  co_return true;
}

// Follows one kind until cancelled; counts events.
base::Task<bool> follow(client::Client* client, Watcher what, bool deltas, std::atomic<long>* seen,
                        base::CancelToken cancel) {
  client::ListOptions options;
  options.field_selector = what.fields;
  if (!what.fields.empty() && what.resource.resource != "nodes") options.namespace_name = "default";
  auto listing = client->list(what.resource, options);
  auto list = co_await listing;
  SKIFF_ASSERT(list.is_ok());
  std::map<std::string, api::StoredObject> kept;
  if (deltas) options.known_objects = [&](std::string_view key) { return kept[std::string(key)]; };
  auto opening = client->watch(what.resource, options, list->revision, cancel);
  auto stream = co_await opening;
  SKIFF_ASSERT(stream.is_ok());
  ++*seen;
  for (;;) {
    auto reading = (*stream)->next();
    auto events = co_await reading;
    if (!events) co_return events.code() == base::Code::cancelled;
    for (const auto& event : *events) {
      kept[base::concat(event.object.namespace_name(), "/", event.object.name())] = event.object;
      ++*seen;
    }
  }
}

void wait_until(std::function<bool()> done) {
  while (!done()) usleep(1000);
}

// Bytes on `lo` for each status update that one worker sees.
void measure_updates(const Pipes& pipes, const TestAuthority& authority, std::uint16_t port,
                     bool deltas, std::string_view title) {
  TestWorker worker(authority.client_tls("admin", "system:masters"), {port});
  std::atomic<long> seen = 0;
  base::CancelSource cancel;
  auto running =
      worker.thread().start(follow(&worker.client(), kWatchers[0], deltas, &seen, cancel.token()));
  wait_until([&] { return seen == 1; });
  auto object_bytes = pipes.ask('u');  // the first is whole in every case
  wait_until([&] { return seen == 1 + kUpdates; });
  auto before = loopback_bytes();
  object_bytes = pipes.ask('u');
  wait_until([&] { return seen == 1 + 2 * kUpdates; });
  usleep(100'000);
  std::printf("%-34s %6.0f bytes on the wire, object of %ld bytes\n", std::string(title).c_str(),
              static_cast<double>(loopback_bytes() - before) / kUpdates, object_bytes);
  cancel.cancel();
  running.get();
}

}  // namespace

int main(int argc, char** argv) {
  const int workers = argc > 1 ? std::atoi(argv[1]) : 200;
  base::set_log(base::LogLevel::error, base::LogFormat::text);
  TestAuthority authority;
  Pipes pipes{};
  SKIFF_ASSERT(pipe(pipes.to_master) == 0 && pipe(pipes.to_bench) == 0);
  pid_t master = fork();
  if (master == 0) run_master(authority, pipes);
  close(pipes.to_master[0]);
  close(pipes.to_bench[1]);
  auto port = static_cast<std::uint16_t>(pipes.ask('p'));

  measure_updates(pipes, authority, port, true, "status update, deltas");
  measure_updates(pipes, authority, port, false, "status update, whole objects");

  auto master_before = resident_kb(master), own_before = resident_kb(getpid());
  LoopThread thread("workers");
  auto random = base::seeded_random(1);
  std::atomic<long> connected = 0, seen = 0;
  base::CancelSource cancel;
  std::vector<std::unique_ptr<client::Uplink>> uplinks;
  std::vector<std::future<bool>> running;
  auto tls = authority.client_tls("admin", "system:masters");
  for (int i = 0; i < workers; ++i) {
    client::UplinkOptions options;
    options.loop = &thread.loop();
    options.random = random.get();
    options.node_name = base::concat("n", i);
    options.masters = {{"127.0.0.1", port}};
    options.tls = tls;
    options.on_change = [&](bool up) { connected += up ? 1 : -1; };
    uplinks.push_back(client::make_uplink(std::move(options)));
    running.push_back(thread.start(run_uplink(uplinks.back().get(), cancel.token())));
  }
  wait_until([&] { return connected == workers; });
  usleep(1'000'000);
  auto master_connected = resident_kb(master), own_connected = resident_kb(getpid());
  for (auto& uplink : uplinks)
    for (const auto& watcher : kWatchers)
      running.push_back(
          thread.start(follow(&uplink->client(), watcher, true, &seen, cancel.token())));
  wait_until([&] { return seen >= workers * static_cast<long>(std::size(kWatchers)); });
  usleep(1'000'000);
  auto per = [&](long after, long before) { return static_cast<double>(after - before) / workers; };
  std::printf("%d workers, each connection:        master %.1f KB, worker %.1f KB\n", workers,
              per(master_connected, master_before), per(own_connected, own_before));
  std::printf("with %zu watches each:                master %.1f KB, worker %.1f KB\n",
              std::size(kWatchers), per(resident_kb(master), master_before),
              per(resident_kb(getpid()), own_before));
  for (int outage_ms : {0, 3000}) {
    pipes.ask('s');
    wait_until([&] { return connected == 0; });
    usleep(static_cast<unsigned>(outage_ms) * 1000);
    pipes.ask('r');
    auto since = loop::real_clock().monotonic();
    wait_until([&] { return connected == workers; });
    std::printf("all back after an outage of %4d ms: %.2f s after the master was there\n",
                outage_ms,
                std::chrono::duration<double>(loop::real_clock().monotonic() - since).count());
  }
  cancel.cancel();
  for (auto& one : running) one.get();
  thread.call([&] { uplinks.clear(); });
  pipes.ask('o');
  measure_updates(pipes, authority, port, false, "status update, ordinary watch");
  close(pipes.to_master[1]);
  (void)waitpid(master, nullptr, 0);
  return 0;
}
