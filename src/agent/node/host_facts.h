// Reading what this host is and has. Blocks.
#pragma once

#include "agent/node/plan_node.h"

#include <string>

namespace skiff::agent {

HostFacts read_host_facts(const std::string& data_dir);

}  // namespace skiff::agent
