// Reading what the node and its containers use.
#pragma once

#include "agent/context.h"
#include "agent/pod/pod_manager.h"
#include "agent/usage/usage.h"

namespace skiff::agent {

// One look at /proc, the data folder's file system and the containers' control groups. A container
// that ends meanwhile is left out. Loop-only; the reading is on the blocking pool.
base::Task<UsageSnapshot> gather_usage(const AgentContext& context, const PodManager& pods);

}  // namespace skiff::agent
