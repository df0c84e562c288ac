// Probes over the loop: HTTP by the asynchronous client, TCP by a non-blocking socket, exec by the
// runtime. Without a loop (simulator) every probe fails with a sentence that says so.
#pragma once

#include <skiff/agent/agent.h>

#include "agent/probes/prober.h"

#include <memory>

namespace skiff::agent {

std::unique_ptr<Prober> make_prober(const AgentOptions& options);

}  // namespace skiff::agent
