// The probes of one pod: a task per probe, each on timers of the loop.
#pragma once

#include <skiff/base/async.h>

#include "agent/context.h"
#include "agent/probes/plan_probe.h"
#include "agent/probes/prober.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace skiff::agent {

// Loop-only. join() before it is destroyed.
class ProbeSet {
 public:
  // A verdict of a probe: of startup and readiness whenever it changes, of liveness failures.
  using Callback = std::function<void(const std::string& container, const std::string& container_id,
                                      ProbeKind kind, bool is_success, const std::string& output)>;
  ProbeSet(const AgentContext& context, Callback callback);

  // Starts the probes of a running container. Liveness and readiness begin once the start-up probe
  // has passed (at once without one, or when it has passed before: `is_started`).
  void start(const codec::Json& pod, const codec::Json& container, const std::string& container_id,
             const std::string& pod_ip, base::WallTime started_at, bool is_started);
  void stop(const std::string& container);
  // While a pod ends only readiness goes on.
  void stop_all_but_readiness();
  base::Task<void> join();

 private:
  struct Target {
    codec::Json pod, container;
    std::string name, container_id, pod_ip;
    base::WallTime started_at;
  };
  struct Running {
    base::CancelSource all, acting;  // acting: startup and liveness
  };
  base::Task<void> run(std::shared_ptr<Target> target, ProbeKind kind, base::CancelToken cancel);
  void spawn(const std::shared_ptr<Target>& target, ProbeKind kind);
  void spawn_after_startup(const std::shared_ptr<Target>& target);

  const AgentContext& context_;
  Callback callback_;
  base::TaskScope scope_;
  std::map<std::string, Running> running_;
};

}  // namespace skiff::agent
