#include "agent/pod/plan_actions.h"

#include "agent/pod/plan_restart.h"

#include <algorithm>

namespace skiff::agent {

namespace {

class Planner {
 public:
  Planner(const PodRecord& record, base::MonotonicTime now) : record_(record), now_(now) {}

  PodActions plan() {
    bool initialized = plan_init();
    if (failed_) {
      finish();
    } else if (initialized || any_regular_started()) {
      plan_regular();
    }
    return std::move(actions_);
  }

 private:
  std::string_view policy() const { return restart_policy_of(record_.pod); }

  bool any_regular_started() const {
    return std::any_of(record_.containers.begin(), record_.containers.end(), [](const auto& c) {
      return c.kind == ContainerKind::regular && c.current.has_value() && !c.is_of_lost_sandbox;
    });
  }

  void look_again(base::MonotonicTime when) {
    if (!actions_.look_again_at || when < *actions_.look_again_at) actions_.look_again_at = when;
  }

  // Starts it, or keeps it in back-off.
  void want(const ContainerRecord& container) {
    if (container.not_before > now_) {
      look_again(container.not_before);
      actions_.back_off.push_back(container.name);
    } else {
      actions_.start.push_back(container.name);
    }
  }

  // One after the other; a sidecar must have started before the next; all of them again in a new
  // sandbox. True when all are through.
  bool plan_init() {
    bool through = true;
    bool regular_started = any_regular_started();
    for (const auto& container : record_.containers) {
      if (container.kind == ContainerKind::regular) break;
      if (container.kind == ContainerKind::sidecar) {
        if (!container.is_running() && (through || regular_started)) want(container);
        if (!container.is_running() || !container.started) through = false;
      } else if (through && !regular_started) {
        if (container.is_running()) {
          through = false;
        } else if (!container.has_exited() || container.is_of_lost_sandbox) {
          want(container);
          through = false;
        } else if (container.current->status.exit_code != 0) {
          through = false;
          if (policy() == "Never") {
            failed_ = true;
          } else {
            want(container);
          }
        }
      }
      if (!through && !regular_started) break;
    }
    return through;
  }

  void plan_regular() {
    bool all_done = true;
    for (const auto& container : record_.containers) {
      if (container.kind != ContainerKind::regular) continue;
      if (container.is_running()) {
        all_done = false;
      } else if (!container.has_exited() ||
                 should_restart(container.kind, policy(), container.current->status.exit_code)) {
        want(container);
        all_done = false;
      }
    }
    if (all_done) finish();
  }

  void finish() {
    actions_ = PodActions{};
    actions_.is_done = true;
    actions_.stop_sidecars = std::any_of(
        record_.containers.begin(), record_.containers.end(),
        [](const auto& c) { return c.kind == ContainerKind::sidecar && c.is_running(); });
  }

  const PodRecord& record_;
  base::MonotonicTime now_;
  PodActions actions_;
  bool failed_ = false;
};

}  // namespace

PodActions plan_actions(const PodRecord& record, base::MonotonicTime now) {
  return Planner(record, now).plan();
}

std::optional<base::Duration> time_to_deadline(const PodRecord& record, const base::AgeOf& age_of) {
  const auto& deadline = record.pod["spec"]["activeDeadlineSeconds"];
  if (!deadline.is_number() || !record.started_at) return std::nullopt;
  std::int64_t seconds = std::min<std::int64_t>(deadline.as_int(), 1'000'000'000);
  return std::chrono::seconds(seconds) - age_of(*record.started_at);
}

bool is_past_deadline(const PodRecord& record, const base::AgeOf& age_of) {
  auto left = time_to_deadline(record, age_of);
  return left.has_value() && *left <= base::Duration(0);
}

}  // namespace skiff::agent
