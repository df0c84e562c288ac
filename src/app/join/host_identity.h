// What the host says of itself.
#pragma once

#include "app/join/plan_node_name.h"

namespace skiff::app {

// Blocks for some reads of /proc, /sys and /etc.
HostIdentity read_host_identity();

}  // namespace skiff::app
