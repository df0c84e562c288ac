// What a running node consists of, by its role.
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>

#include "app/threads.h"

#include <functional>
#include <memory>

namespace skiff::app {

// Made and destroyed on the main thread; start() and stop() run on the io loop.
class NodeParts {
 public:
  virtual ~NodeParts() = default;
  // Returns when the node serves. A part that ends by itself calls `on_failure` (on the io loop).
  virtual base::Task<base::Status> start() = 0;
  // Ends every part, also after a start that failed; may come while start() still waits, which then
  // returns. Containers go on.
  virtual base::Task<void> stop() = 0;
  // Somebody has changed certificates on disk. On the io loop.
  virtual void look_at_certificates() {}
  // Writes what is in memory only; no loop runs any more.
  virtual base::Status close() = 0;
};

using FailureCallback = std::function<void(base::Status why)>;
using OpenedParts = base::Result<std::unique_ptr<NodeParts>>;

// Master, with the agent of this node beside it when it is a worker, too. The config and the
// threads outlive the parts.
OpenedParts open_master_node(const Config& config, Threads& threads, FailureCallback on_failure);
// A worker alone: joins when it has not, then works through its masters' API.
OpenedParts open_worker_node(const Config& config, Threads& threads, FailureCallback on_failure);

}  // namespace skiff::app
