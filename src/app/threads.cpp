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

base::Result<Threads> start_threads() {
  Threads threads;
  SKIFF_ASSIGN_OR_RETURN(threads.io, loop::make_loop("io"));
  SKIFF_ASSIGN_OR_RETURN(threads.control, LoopThread::start("control"));
  SKIFF_ASSIGN_OR_RETURN(threads.agent, LoopThread::start("agent"));
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  loop::WorkPoolOptions workers;
  workers.name = "worker";
  workers.threads_max = std::max(kRequestThreadsMin, static_cast<std::size_t>(std::max(cores, 1L)));
  workers.keep_threads = true;
  workers.stack_bytes = kRequestThreadStackBytes;
  SKIFF_ASSIGN_OR_RETURN(threads.workers, loop::make_work_pool(workers));
  loop::WorkPoolOptions blocking;
  blocking.name = "blocking";
  blocking.threads_max = kBlockingThreadsMax;
  blocking.stack_bytes = kBlockingThreadStackBytes;
  SKIFF_ASSIGN_OR_RETURN(threads.blocking, loop::make_work_pool(blocking));
  return threads;
}

}  // namespace skiff::app
