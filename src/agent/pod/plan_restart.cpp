#include "agent/pod/plan_restart.h"

#include <skiff/base/strings.h>

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

bool should_restart(ContainerKind kind, std::string_view restart_policy, int exit_code) {
  if (kind == ContainerKind::sidecar) return true;
  if (kind == ContainerKind::init) return exit_code != 0 && restart_policy != "Never";
  if (restart_policy == "Always") return true;
  return restart_policy == "OnFailure" && exit_code != 0;
}

base::Duration pause_before_restart(base::Duration registered, base::Duration ran) {
  return ran >= kBackOffReset ? base::Duration(0) : registered;
}

base::Duration registered_after_restart(base::Duration registered, base::Duration ran) {
  if (registered <= base::Duration(0) || ran >= kBackOffReset) return kBackOffInitial;
  return std::min<base::Duration>(registered * 2, kBackOffMax);
}

std::string format_go_duration(base::Duration duration) {
  std::int64_t seconds = duration.count() / 1'000'000'000;
  std::string text;
  if (seconds >= 3600) text += base::concat(seconds / 3600, "h");
  if (seconds >= 60) text += base::concat(seconds % 3600 / 60, "m");
  return text + base::concat(seconds % 60, "s");
}

std::string back_off_message(base::Duration back_off, std::string_view container,
                             const codec::Json& pod) {
  return base::concat("back-off ", format_go_duration(back_off),
                      " restarting failed container=", container, " pod=", format_pod(pod));
}

}  // namespace skiff::agent
