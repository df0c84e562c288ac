// Stopping containers: hooks, signals, grace periods; and what probes demand.
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/pod/plan_signal.h"
#include "agent/pod/pod_worker.h"
#include "agent/pod/wait.h"

#include <algorithm>
#include <csignal>

namespace skiff::agent {

using client::EventType;

namespace {}  // namespace

void PodWorker::on_probe(const std::string& container, const std::string& container_id,
                         ProbeKind kind, bool is_success, const std::string&) {
  auto* record = record_.find(container);
  if (record == nullptr || !record->is_running()) return;
  if (record->current->status.id != container_id) return;
  const auto& spec = find_container(record_.pod, container);
  if (kind == ProbeKind::readiness) {
    record->ready = is_success;
  } else if (is_success) {
    record->started = true;
    if (spec["readinessProbe"].is_null()) record->ready = true;
  } else {
    auto& extra = extras_[container];
    extra.kill_message = base::concat("Container ", container, " failed ",
                                      kind == ProbeKind::liveness ? "liveness" : "startup",
                                      " probe, will be restarted");
    const auto& grace = spec[probe_field_name(kind)]["terminationGracePeriodSeconds"];
    if (grace.is_number()) extra.kill_grace_seconds = grace.as_int();
  }
  // Readiness is told at once, whatever else the worker is doing.
  if (machine_.state() == PodPhaseState::running) publish();
  changed_.notify();
}

base::Task<void> PodWorker::stop_unhealthy() {
  std::vector<std::string> names;
  for (const auto& [name, extra] : extras_)
    if (!extra.kill_message.empty()) names.push_back(name);
  for (const auto& name : names) {
    auto& extra = extras_[name];
    std::string message = std::move(extra.kill_message);
    extra.kill_message.clear();
    auto grace = extra.kill_grace_seconds;
    extra.kill_grace_seconds.reset();
    auto* record = record_.find(name);
    if (record == nullptr || !record->is_running()) continue;
    co_await stop_container(name, message, grace);
  }
}

base::MonotonicTime PodWorker::grace_deadline(base::MonotonicTime since) const {
  if (record_.is_evicted) return since;
  return since + std::chrono::seconds(std::max<std::int64_t>(grace_seconds_of(record_.pod), 0));
}

base::Task<bool> PodWorker::wait_exit(std::string name, base::MonotonicTime floor,
                                      base::MonotonicTime deadline) {
  auto* record = record_.find(name);
  auto& exited = *extras_[name].exited;
  for (;;) {
    co_await refresh(name);
    if (!record->is_running()) co_return true;
    if (stop_.is_cancelled()) co_return false;
    base::MonotonicTime until = deadline;
    // A second deletion may have shortened the grace period.
    if (terminating_since_)
      until = std::max(std::min(until, grace_deadline(*terminating_since_)), floor);
    if (context_.monotonic() >= until) co_return false;
    co_await wait_until(exited, context_.timers(), until, stop_);
  }
}

base::Task<void> PodWorker::run_pre_stop(std::string name, base::MonotonicTime deadline) {
  const codec::Json spec = find_container(record_.pod, name);
  const codec::Json hook = spec["lifecycle"]["preStop"];
  auto* record = record_.find(name);
  base::Duration left = deadline - context_.monotonic();
  if (hook.is_null() || left.count() <= 0) co_return;
  base::CancelSource over = base::CancelSource::child_of(stop_);
  auto timer = context_.timers().start_timer(left, [over] { over.cancel(); });
  auto task = run_action(*context_.prober, context_.timers(), ActionUse::hook, hook, spec,
                         record->current->status.id, record_.pod_ip, left, over.token());
  ProbeResult result = co_await std::move(task);
  context_.timers().cancel_timer(timer);
  if (!result.is_success && !stop_.is_cancelled())
    event(EventType::warning, "FailedPreStopHook", "PreStopHook failed", name);
}

base::Task<void> PodWorker::stop_container(std::string name, std::string message,
                                           std::optional<std::int64_t> grace_seconds) {
  auto* record = record_.find(name);
  auto* runtime = context_.options.runtime;
  if (!record->is_running()) co_return;
  event(EventType::normal, "Killing", message, name);
  base::MonotonicTime now = context_.monotonic();
  base::MonotonicTime deadline =
      grace_seconds ? now + std::chrono::seconds(*grace_seconds) : grace_deadline(now);
  if (terminating_since_) deadline = std::min(deadline, grace_deadline(*terminating_since_));
  if (deadline > now) co_await run_pre_stop(name, deadline);
  if (stop_.is_cancelled()) co_return;
  std::string id = record->current->status.id;
  const codec::Json own_signal = find_container(record_.pod, name)["lifecycle"]["stopSignal"];
  int soft = plan_signal(own_signal.as_string(record->current->status.stop_signal));
  auto signal = [runtime, id, soft] { return runtime->signal_container(id, soft); };
  (void)co_await loop::run_blocking(*context_.options.work, std::move(signal));
  base::MonotonicTime floor = context_.monotonic() + std::chrono::seconds(kGraceSecondsMin);
  bool is_over = co_await wait_exit(name, floor, std::max(deadline, floor));
  while (!is_over && !stop_.is_cancelled()) {
    auto kill = [runtime, id] { return runtime->signal_container(id, SIGKILL); };
    auto killed = co_await loop::run_blocking(*context_.options.work, std::move(kill));
    if (!killed.is_ok())
      base::log_warning("a container was not killed", {{"id", id}, {"error", killed}});
    auto& exited = *extras_[name].exited;
    co_await wait_until(exited, context_.timers(), context_.monotonic() + kKillWait, stop_);
    co_await refresh(name);
    is_over = !record->is_running();
  }
}

base::Task<void> PodWorker::be_terminating() {
  terminating_since_ = context_.monotonic();
  bool is_failure = !record_.failed_reason.empty();
  if (is_failure)
    event(record_.is_refused || record_.is_evicted ? EventType::warning : EventType::normal,
          record_.failed_reason, record_.failed_message);
  starting_.cancel();
  probes_.stop_all_but_readiness();
  publish();
  bool any_running = std::any_of(record_.containers.begin(), record_.containers.end(),
                                 [](const auto& c) { return c.is_running(); });
  if (any_running && hooks_.before_stop) co_await hooks_.before_stop(uid_);
  std::vector<std::string> sidecars;
  {
    base::TaskScope scope(*context_.options.executor);
    for (const auto& container : record_.containers) {
      if (!container.is_running()) continue;
      if (container.kind == ContainerKind::sidecar) {
        sidecars.push_back(container.name);
      } else {
        std::string message = base::concat("Stopping container ", container.name);
        scope.spawn(stop_container(container.name, message, std::nullopt));
      }
    }
    co_await scope.join();
  }
  if (!stop_.is_cancelled()) publish();
  // In the reverse of the order in which they came up.
  for (std::size_t i = sidecars.size(); i-- > 0;) {
    std::string message = base::concat("Stopping container ", sidecars[i]);
    co_await stop_container(sidecars[i], message, std::nullopt);
  }
  if (stop_.is_cancelled()) co_return;
  record_.terminating = true;
  for (auto& container : record_.containers) container.waiting.reset();
  machine_.move_to(PodPhaseState::cleaning);
}

}  // namespace skiff::agent
