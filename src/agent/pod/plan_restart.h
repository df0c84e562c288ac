// Whether and when a container that has ended runs again. Pure.
#pragma once

#include "agent/pod/pod_model.h"

namespace skiff::agent {

// Whether an exited container of this kind runs again under the pod's restartPolicy. A sidecar
// always does; an init container that succeeded never; a regular one by Always, or OnFailure with
// a failure; an init container that failed by anything but Never.
bool should_restart(ContainerKind kind, std::string_view restart_policy, int exit_code);

// `registered` is the container's back-off so far (0 = none yet), `ran` how long the run lasted
// that has just ended. A run of kBackOffReset or more clears what was before.
// The pause after that run: none the first time, then 10 s doubling to 5 min.
base::Duration pause_before_restart(base::Duration registered, base::Duration ran);
// The back-off to keep once the container was started again.
base::Duration registered_after_restart(base::Duration registered, base::Duration ran);

// "back-off 10s restarting failed container=web pod=web_default(uid)".
std::string back_off_message(base::Duration back_off, std::string_view container,
                             const codec::Json& pod);
// Go's Duration text for whole seconds: "10s", "2m40s", "5m0s".
std::string format_go_duration(base::Duration duration);

}  // namespace skiff::agent
