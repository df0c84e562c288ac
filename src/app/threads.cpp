#include "app/threads.h"

#include "app/limits.h"

#include <unistd.h>

#include <algorithm>

namespace skiff::app {

base::Result<std::unique_ptr<LoopThread>> LoopThread::start(const char* name) {
  std::unique_ptr<LoopThread> made(new LoopThread());
  SKIFF_ASSIGN_OR_RETURN(made->loop_, loop::make_loop(name));
  made->thread_ = std::thread([loop = made->loop_.get()] { loop->run(); });
  return made;
}

void LoopThread::stop() {
  loop_->stop();
  if (thread_.joinable()) thread_.join();
}

LoopThread::~LoopThread() { stop(); }

namespace {

base::Result<std::unique_ptr<loop::WorkPool>> start_request_threads() {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  loop::WorkPoolOptions options;
  options.name = "worker";
  options.threads_max = std::max(kRequestThreadsMin, static_cast<std::size_t>(std::max(cores, 1L)));
  options.keep_threads = true;
  options.stack_bytes = kRequestThreadStackBytes;
  return loop::make_work_pool(options);
}

}  // namespace

void Threads::stop_loops() {
  if (control) control->stop();
  if (agent) agent->stop();
}

base::Result<Threads> start_threads(bool is_master, bool is_worker) {
  Threads threads;
  SKIFF_ASSIGN_OR_RETURN(threads.io, loop::make_loop("io"));
  if (is_master) {
    SKIFF_ASSIGN_OR_RETURN(threads.control, LoopThread::start("control"));
    SKIFF_ASSIGN_OR_RETURN(threads.workers, start_request_threads());
  }
  if (is_worker) {
    SKIFF_ASSIGN_OR_RETURN(threads.agent, LoopThread::start("agent"));
  }
  loop::WorkPoolOptions blocking;
  blocking.name = "blocking";
  blocking.threads_max = kBlockingThreadsMax;
  blocking.stack_bytes = kBlockingThreadStackBytes;
  SKIFF_ASSIGN_OR_RETURN(threads.blocking, loop::make_work_pool(blocking));
  return threads;
}

}  // namespace skiff::app
