// The threads of a node: loops and pools by name (docs/ARCHITECTURE.md, section 4).
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/result.h>
#include <skiff/loop/loop.h>
#include <skiff/loop/work_pool.h>

#include <memory>
#include <thread>
#include <vector>

namespace skiff::app {

// Runs a loop on a thread of its own from run() until it is destroyed.
class LoopThread {
 public:
  static base::Result<std::unique_ptr<LoopThread>> make(const char* name);
  // make() and run().
  static base::Result<std::unique_ptr<LoopThread>> start(const char* name);
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  loop::Loop& loop() { return *loop_; }
  // Starts the thread. Once.
  void run();
  // Ends the thread; the loop stays until this object goes. Idempotent.
  void stop();

 private:
  LoopThread() = default;
  std::unique_ptr<loop::Loop> loop_;
  std::thread thread_;
};

struct Threads {
  std::unique_ptr<loop::Loop> io;                    // run by the main thread
  std::vector<std::unique_ptr<LoopThread>> more_io;  // run by the front (app/front.h)
  std::unique_ptr<LoopThread> control, agent;
  std::unique_ptr<loop::WorkPool> workers;   // requests
  std::unique_ptr<loop::WorkPool> blocking;  // system calls that wait

  // Ends the threads of all loops but io; the loops stay.
  void stop_loops();
};
// A master has `control`, `workers` and as many loops for connections as it is told, a worker has
// `agent`; what a role lacks is null.
base::Result<Threads> start_threads(const Config& config);

}  // namespace skiff::app
