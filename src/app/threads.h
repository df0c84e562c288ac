// The threads of a node: loops and pools by name (docs/ARCHITECTURE.md, section 4).
#pragma once

#include <skiff/base/result.h>
#include <skiff/loop/loop.h>
#include <skiff/loop/work_pool.h>

#include <memory>
#include <thread>

namespace skiff::app {

// Runs a loop on a thread of its own until it is destroyed.
class LoopThread {
 public:
  static base::Result<std::unique_ptr<LoopThread>> start(const char* name);
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  loop::Loop& loop() { return *loop_; }
  // Ends the thread; the loop stays until this object goes. Idempotent.
  void stop();

 private:
  LoopThread() = default;
  std::unique_ptr<loop::Loop> loop_;
  std::thread thread_;
};

struct Threads {
  std::unique_ptr<loop::Loop> io;  // run by the main thread
  std::unique_ptr<LoopThread> control, agent;
  std::unique_ptr<loop::WorkPool> workers;   // requests
  std::unique_ptr<loop::WorkPool> blocking;  // system calls that wait

  // Ends the threads of control and agent; the loops stay.
  void stop_loops();
};
// A master has `control` and `workers`, a worker has `agent`; what a role lacks is null.
base::Result<Threads> start_threads(bool is_master, bool is_worker);

}  // namespace skiff::app
