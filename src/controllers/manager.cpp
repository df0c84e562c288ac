#include <skiff/controllers/manager.h>

#include <vector>

#include "controllers/common/controller.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

class ManagerImpl final : public ControllerManager {
 public:
  ManagerImpl(const ManagerOptions& options, const NodeCidrRange& cidrs)
      : executor_(*options.executor),
        informers_(*options.client, *options.timers, parsed_),
        timers_(*options.timers),
        ages_(timers_.clock()),
        context_{*options.client, executor_, timers_, *options.random, parsed_, informers_, ages_},
        controllers_(list_of_controllers(context_, options, cidrs)) {}

  base::Task<void> run(base::CancelToken cancel) override {
    base::TaskScope scope(executor_);
    for (auto& controller : controllers_) scope.spawn(controller->run(cancel));
    scope.spawn(informers_.run(executor_, cancel));
    scope.spawn(base::keep_looking(ages_, timers_, cancel));
    co_await scope.join();
  }

 private:
  base::Executor& executor_;
  ParsedObjects parsed_;
  InformerSet informers_;
  base::Timers& timers_;
  base::AgeMeter ages_;
  Context context_;
  std::vector<std::unique_ptr<Controller>> controllers_;
};

}  // namespace

base::Result<std::unique_ptr<ControllerManager>> make_controller_manager(ManagerOptions options) {
  SKIFF_ASSERT(options.client != nullptr && options.executor != nullptr);
  SKIFF_ASSERT(options.timers != nullptr && options.random != nullptr);
  SKIFF_ASSIGN_OR_RETURN(NodeCidrRange cidrs, NodeCidrRange::parse(options.cluster_cidr));
  std::unique_ptr<ControllerManager> manager = std::make_unique<ManagerImpl>(options, cidrs);
  return manager;
}

}  // namespace skiff::controllers
