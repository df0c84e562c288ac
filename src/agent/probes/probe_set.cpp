#include "agent/probes/probe_set.h"

#include <skiff/base/strings.h>

#include "agent/pod/pod_model.h"

#include <algorithm>

namespace skiff::agent {

ProbeSet::ProbeSet(const AgentContext& context, Callback callback)
    : context_(context), callback_(std::move(callback)), scope_(*context.options.executor) {}

void ProbeSet::spawn(const std::shared_ptr<Target>& target, ProbeKind kind) {
  if (target->container[probe_field_name(kind)].is_null()) return;
  auto it = running_.find(target->name);
  if (it == running_.end()) return;
  const auto& source = kind == ProbeKind::readiness ? it->second.all : it->second.acting;
  scope_.spawn(run(target, kind, source.token()));
}

void ProbeSet::spawn_after_startup(const std::shared_ptr<Target>& target) {
  spawn(target, ProbeKind::liveness);
  spawn(target, ProbeKind::readiness);
}

void ProbeSet::start(const codec::Json& pod, const codec::Json& container,
                     const std::string& container_id, const std::string& pod_ip,
                     base::WallTime started_at, bool is_started) {
  auto target = std::make_shared<Target>();
  target->pod = pod;
  target->container = container;
  target->name = container["name"].as_string();
  target->container_id = container_id;
  target->pod_ip = pod_ip;
  target->started_at = started_at;
  stop(target->name);
  Running running;
  running.all = base::CancelSource::child_of(scope_.token());
  running.acting = base::CancelSource::child_of(running.all.token());
  running_[target->name] = std::move(running);
  if (!is_started && !container["startupProbe"].is_null()) {
    spawn(target, ProbeKind::startup);
  } else {
    spawn_after_startup(target);
  }
}

void ProbeSet::stop(const std::string& container) {
  auto it = running_.find(container);
  if (it == running_.end()) return;
  it->second.all.cancel();
  running_.erase(it);
}

void ProbeSet::stop_all_but_readiness() {
  for (auto& entry : running_) entry.second.acting.cancel();
}

base::Task<void> ProbeSet::run(std::shared_ptr<Target> target, ProbeKind kind,
                               base::CancelToken cancel) {
  const codec::Json probe = target->container[probe_field_name(kind)];
  const ProbeSettings settings = plan_probe_settings(probe);
  ProbeCounter counter(settings);
  std::optional<bool> told;
  std::string path = container_field_path(target->pod, target->name);
  base::Duration wait = settings.initial_delay - context_.ages->age_of(target->started_at);
  // Many containers that are adopted at once must not be probed in one moment.
  if (wait < -settings.period)
    wait = base::Duration(static_cast<std::int64_t>(
        context_.options.random->below(static_cast<std::uint64_t>(settings.period.count()))));
  base::MonotonicTime due = context_.monotonic() + std::max(wait, base::Duration(0));
  for (;;) {
    wait = due - context_.monotonic();
    if (wait.count() > 0) {
      bool slept = co_await base::sleep(context_.timers(), wait, cancel);
      if (!slept) co_return;
    }
    auto action =
        run_action(*context_.prober, context_.timers(), ActionUse::probe, probe, target->container,
                   target->container_id, target->pod_ip, settings.timeout, cancel);
    ProbeResult result = co_await std::move(action);
    if (cancel.is_cancelled()) co_return;
    due = plan_next_probe(due, settings.period, context_.monotonic());
    if (!result.is_success)
      context_.options.recorder->event(
          target->pod, client::EventType::warning, "Unhealthy",
          base::concat(probe_kind_name(kind),
                       result.is_error ? " probe errored and resulted in unknown state: "
                                       : " probe failed: ",
                       result.output),
          path);
    if (result.is_error) continue;
    auto verdict = counter.add(result.is_success);
    if (!verdict) continue;
    bool is_news = told != *verdict;
    told = *verdict;
    if (kind == ProbeKind::liveness && *verdict) continue;
    if (is_news) callback_(target->name, target->container_id, kind, *verdict, result.output);
    if (cancel.is_cancelled()) co_return;
    if (kind == ProbeKind::startup && *verdict) {
      spawn_after_startup(target);
      co_return;
    }
    if (kind != ProbeKind::readiness && !*verdict) co_return;
  }
}

base::Task<void> ProbeSet::join() {
  scope_.cancel();
  co_await scope_.join();
  running_.clear();
}

}  // namespace skiff::agent
