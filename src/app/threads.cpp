#include "app/threads.h"

#include "app/limits.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>

namespace skiff::app {

base::Result<std::unique_ptr<LoopThread>> LoopThread::make(const char* name) {
  std::unique_ptr<LoopThread> made(new LoopThread());
  SKIFF_ASSIGN_OR_RETURN(made->loop_, loop::make_loop(name));
  return made;
}

base::Result<std::unique_ptr<LoopThread>> LoopThread::start(const char* name) {
  SKIFF_ASSIGN_OR_RETURN(auto made, make(name));
  made->run();
  return made;
}

void LoopThread::run() {
  thread_ = std::thread([loop = loop_.get()] { loop->run(); });
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
  for (auto& each : more_io) each->stop();
  if (control) control->stop();
  if (agent) agent->stop();
}

base::Result<Threads> start_threads(const Config& config) {
  // Threads of a worker mostly wait; an arena for each would keep what it needed once. The requests
  // of a master allocate all the time.
  if (!config.master) (void)mallopt(M_ARENA_MAX, kWorkerArenasMax);
  Threads threads;
  SKIFF_ASSIGN_OR_RETURN(threads.io, loop::make_loop("io"));
  if (config.master) {
    for (std::size_t i = 1; i < config.io_loops; ++i) {
      SKIFF_ASSIGN_OR_RETURN(auto made, LoopThread::make("io"));
      threads.more_io.push_back(std::move(made));
    }
    SKIFF_ASSIGN_OR_RETURN(threads.control, LoopThread::start("control"));
    SKIFF_ASSIGN_OR_RETURN(threads.workers, start_request_threads());
  }
  if (config.worker) {
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
