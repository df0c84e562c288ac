// The control loop's parts: controllers and scheduler.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/controllers/manager.h>
#include <skiff/scheduler/scheduler.h>

#include "app/master_identity.h"
#include "app/threads.h"

#include <memory>

namespace skiff::app {

// Made on the main thread; runs on the control loop. The references outlive it.
class Control {
 public:
  static base::Result<std::unique_ptr<Control>> open(const Config& config,
                                                     const MasterIdentity& identity,
                                                     const ClusterKeys& keys, Threads& threads,
                                                     apiserver::ApiServer& api);
  // On the control loop, until cancelled.
  base::Task<void> run(base::CancelToken cancel);

 private:
  explicit Control(Threads& threads) : threads_(threads) {}

  Threads& threads_;
  std::unique_ptr<client::Client> controllers_client_, scheduler_client_;
  std::unique_ptr<controllers::ControllerManager> controllers_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
};

}  // namespace skiff::app
