// What it costs to create pods of 4 KB, to place small ones, and to make nodes: the API server with
// a store in memory, the controllers and the scheduler on one thread, without sockets. Made to be
// counted: `valgrind --tool=callgrind write_cost pods 400` less the same with 200.
#include "unit/apiserver/fixture.h"

#include <skiff/base/strings.h>
#include <skiff/controllers/manager.h>
#include <skiff/loop/loop.h>
#include <skiff/scheduler/scheduler.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

using namespace skiff;
using namespace skiff::test;
using namespace std::chrono_literals;

namespace {

// As tests/bench/rows.py has them.
std::string pod(int number, bool is_large) {
  const std::string filler = is_large ? std::string(2500, 'x') : "";
  return base::concat(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p)", number,
      R"(","namespace":"default","labels":{"app":"web"},"annotations":{"filler":")", filler,
      R"("}},"spec":{"schedulerName":")", is_large ? "nobody" : "default-scheduler",
      R"(","containers":[{"name":"main","image":"skiff.test/web:1","resources":{"requests":)"
      R"({"cpu":"10m","memory":"5Mi"}}}]}})");
}

std::string node(int number) {
  return base::concat(
      R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n)", number,
      R"("},"status":{"capacity":{"cpu":"4","memory":"32Gi","pods":"110"},"allocatable":)"
      R"({"cpu":"4","memory":"32Gi","pods":"110"},"conditions":[{"type":"Ready","status":"True",)"
      R"("reason":"KubeletReady","lastHeartbeatTime":"2026-11-25T21:00:00Z",)"
      R"("lastTransitionTime":"2026-11-25T21:00:00Z"}]}})");
}

class ControlPlane {
 public:
  explicit ControlPlane(ApiFixture& f) : loop_(f.loop), scope_(f.loop) {
    controllers_client_ =
        f.server->loopback_client(auth::control_user("system:kube-controller-manager"));
    scheduler_client_ = f.server->loopback_client(auth::control_user("system:kube-scheduler"));
    controllers::ManagerOptions manager;
    manager.client = controllers_client_.get();
    manager.executor = &f.loop;
    manager.timers = &f.loop;
    manager.random = f.random_.get();
    manager.root_ca_pem = "PEM";
    manager.cluster_cidr = "10.42.0.0/16";
    auto made = controllers::make_controller_manager(std::move(manager));
    SKIFF_ASSERT(made.is_ok());
    manager_ = std::move(*made);
    scheduler::SchedulerOptions options;
    options.client = scheduler_client_.get();
    options.executor = &f.loop;
    options.timers = &f.loop;
    options.random = f.random_.get();
    scheduler_ = scheduler::make_scheduler(std::move(options));
    server_ = f.server.get();
    scope_.spawn(server_->run(scope_.token()));
    scope_.spawn(manager_->run(scope_.token()));
    scope_.spawn(scheduler_->run(scope_.token()));
    loop_.advance(2s);
  }
  ~ControlPlane() {
    scope_.cancel();
    loop_.run(scope_.join());
  }

 private:
  SimLoop& loop_;
  base::TaskScope scope_;
  apiserver::ApiServer* server_ = nullptr;
  std::unique_ptr<client::Client> controllers_client_, scheduler_client_;
  std::unique_ptr<controllers::ControllerManager> manager_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "pods";
  const int count = argc > 2 ? std::atoi(argv[2]) : 400;
  ApiFixture f;
  ControlPlane control(f);
  auto create = [&](const char* path, std::string body) {
    const int status = f.call("POST", path, std::move(body)).status;
    if (status != 201) std::printf("status %d\n", status);
    f.loop.run_ready();
  };
  const int nodes = what == "nodes" ? count : what == "place" ? 50 : 0;
  auto begin = loop::real_clock().monotonic();
  for (int i = 0; i < nodes; ++i) create("/api/v1/nodes", node(i));
  if (what != "nodes") {
    f.loop.advance(1s);
    begin = loop::real_clock().monotonic();
    for (int i = 0; i < count; ++i)
      create("/api/v1/namespaces/default/pods", pod(i, what == "pods"));
  }
  f.loop.advance(1s);
  const base::Duration took = loop::real_clock().monotonic() - begin;
  std::printf("%d %s: %.1f us each\n", count, std::string(what).c_str(),
              std::chrono::duration<double, std::micro>(took).count() / count);
}
