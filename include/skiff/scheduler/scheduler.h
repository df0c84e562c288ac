// Decides which node every new pod runs on.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/random.h>
#include <skiff/client/client.h>

#include <memory>
#include <string>

namespace skiff::scheduler {

// All references outlive the scheduler.
struct SchedulerOptions {
  client::Client* client = nullptr;
  base::Executor* executor = nullptr;      // the control loop
  base::Timers* timers = nullptr;          // of the same loop
  base::Random* random = nullptr;          // breaks ties
  std::string name = "default-scheduler";  // pods with another spec.schedulerName are left alone
};

// Loop-only: runs on the executor of its options.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Schedules until cancelled; returns when its tasks have ended. Called once.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
};
std::unique_ptr<Scheduler> make_scheduler(SchedulerOptions options);

}  // namespace skiff::scheduler
