// Reading what this host is and has. Blocks.
#pragma once

#include <skiff/agent/agent.h>

namespace skiff::agent {

// From the kernel, or from who is asked in its place.
HostFacts read_host_facts(const AgentOptions& options);

}  // namespace skiff::agent
