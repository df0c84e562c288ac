// What every part of the agent works with. Owned by the agent; outlives its parts.
#pragma once

#include <skiff/agent/agent.h>
#include <skiff/base/age.h>

#include "agent/container/plan_env.h"
#include "agent/container/plan_options.h"

#include <functional>
#include <string>

namespace skiff::agent {

class ConfigCache;
class TokenCache;
class ImagePuller;
class Prober;

struct AgentContext {
  const AgentOptions& options;
  NodeFacts node;
  DnsFacts dns;
  ConfigCache* configs = nullptr;
  TokenCache* tokens = nullptr;
  ImagePuller* puller = nullptr;
  Prober* prober = nullptr;
  client::Informer* services = nullptr;
  base::AgeMeter* ages = nullptr;

  base::Timers& timers() const { return *options.timers; }
  base::WallTime now() const { return options.timers->clock().now(); }
  // Whatever the clock has done since.
  base::AgeOf age_of() const { return ages->reader(); }
  base::MonotonicTime monotonic() const { return options.timers->clock().monotonic(); }
  std::string pod_dir(const std::string& uid) const { return options.data_dir + "/pods/" + uid; }
  std::string volatile_dir(const std::string& uid) const {
    return options.runtime_dir + "/volumes/" + uid;
  }
};

}  // namespace skiff::agent
