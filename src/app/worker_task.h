// A worker that runs on the agent loop, as the parts of a node on the io loop see it.
#pragma once

#include <skiff/base/async.h>

#include "app/node_parts.h"
#include "app/worker.h"

#include <utility>

namespace skiff::app {

// Used on the io loop. join() before it is destroyed.
class WorkerTask {
 public:
  // Until `cancel`. Ends the node by `on_failure` when the agent cannot go on. The worker and the
  // threads outlive the task.
  void start(Worker& worker, Threads& threads, base::CancelToken cancel,
             FailureCallback on_failure) {
    started_ = true;
    base::spawn_detached(threads.agent->loop(), run(&worker, std::move(cancel), done_));
    base::spawn_detached(*threads.io, watch(done_, ended_, std::move(on_failure)));
  }
  // Returns when the worker has ended; at once when it was not started.
  base::Task<void> join() {
    if (started_) co_await ended_.future();
  }

 private:
  static base::Task<void> run(Worker* worker, base::CancelToken cancel,
                              base::OneShot<base::Status> done) {
    auto ended = co_await worker->run(cancel);
    done.set(ended);
  }
  static base::Task<void> watch(base::OneShot<base::Status> done, base::OneShot<bool> ended,
                                FailureCallback on_failure) {
    auto status = co_await done.future();
    ended.set(true);
    if (!status) on_failure(status.with_context("node agent"));
  }

  base::OneShot<base::Status> done_;
  base::OneShot<bool> ended_;
  bool started_ = false;
};

}  // namespace skiff::app
