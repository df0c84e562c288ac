// One running node: its parts in the order of their start, reversed on stop.
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/result.h>

namespace skiff::app {

// Runs until SIGTERM or SIGINT; then leaves containers running and returns.
base::Status run_node_until_stopped(const Config& config);

}  // namespace skiff::app
