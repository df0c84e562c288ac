#include "app/control.h"

#include <skiff/auth/auth.h>

namespace skiff::app {

base::Result<std::unique_ptr<Control>> Control::open(const Config& config,
                                                     const MasterIdentity& identity,
                                                     const ClusterKeys& keys, Threads& threads,
                                                     apiserver::ApiServer& api) {
  std::unique_ptr<Control> control(new Control(threads));
  loop::Loop& loop = threads.control->loop();
  control->controllers_client_ =
      api.loopback_client(auth::control_user("system:kube-controller-manager"));
  control->scheduler_client_ = api.loopback_client(auth::control_user("system:kube-scheduler"));

  controllers::ManagerOptions manager;
  manager.client = control->controllers_client_.get();
  manager.executor = &loop;
  manager.timers = &loop;
  manager.random = &base::secure_random();
  manager.trust = keys.trust.get();
  manager.master_names = [&config, &identity] { return server_identity(config, identity.get()); };
  manager.cluster_cidr = config.cluster_cidr;
  manager.sign_secret_token = [&api](const controllers::TokenSecret& secret) {
    return api.service_account_tokens().issue_legacy(
        {secret.namespace_name, secret.name, secret.service_account, secret.service_account_uid});
  };
  SKIFF_ASSIGN_OR_RETURN(control->controllers_,
                         controllers::make_controller_manager(std::move(manager)));

  scheduler::SchedulerOptions scheduler;
  scheduler.client = control->scheduler_client_.get();
  scheduler.executor = &loop;
  scheduler.timers = &loop;
  scheduler.random = &base::secure_random();
  control->scheduler_ = scheduler::make_scheduler(std::move(scheduler));
  return control;
}

base::Task<void> Control::run(base::CancelToken cancel) {
  base::TaskScope scope(threads_.control->loop());
  scope.spawn(controllers_->run(cancel));
  scope.spawn(scheduler_->run(cancel));
  co_await scope.join();
}

}  // namespace skiff::app
