#include <skiff/base/log.h>
#include <skiff/base/version.h>

#include "app/bootstrap.h"
#include "app/control.h"
#include "app/credentials/certificate_keeper.h"
#include "app/join/prepared_tokens.h"
#include "app/late_node_channel.h"
#include "app/master.h"
#include "app/node_parts.h"
#include "app/worker_task.h"

namespace skiff::app {

namespace {

class MasterNode final : public NodeParts {
 public:
  MasterNode(const Config& config, Threads& threads, FailureCallback on_failure)
      : config_(config),
        threads_(threads),
        on_failure_(std::move(on_failure)),
        watching_(*threads.io) {}

  base::Status open() {
    SKIFF_ASSIGN_OR_RETURN(NodeIdentity node, find_identity(config_));
    SKIFF_ASSIGN_OR_RETURN(keys_, ensure_cluster_keys(config_, node, loop::real_clock().now()));
    identity_ = std::make_unique<MasterIdentity>(node);
    client::NodeChannel* channel = config_.worker ? &channel_ : nullptr;
    SKIFF_ASSIGN_OR_RETURN(master_, Master::open(config_, *identity_, keys_, threads_, channel));
    SKIFF_ASSIGN_OR_RETURN(control_,
                           Control::open(config_, *identity_, keys_, threads_, master_->api()));
    keeper_ = std::make_unique<CertificateKeeper>(config_, *identity_, keys_, *threads_.io,
                                                  *threads_.blocking);
    keeper_->attach(master_->tls(), [this] { master_->follow_trust(); });
    follower_ = std::make_unique<AddressFollower>(
        *identity_, *threads_.io,
        AddressFollower::Parts{[this] { keeper_->look_soon(); },
                               [this] { return master_->api().ensure_bootstrap_objects(); }});
    if (!config_.worker) return base::Status::ok();
    node_client_ = master_->api().loopback_client(auth::node_user(node.name));
    SKIFF_ASSIGN_OR_RETURN(worker_, Worker::open(config_, node, threads_, *node_client_, {}));
    return base::Status::ok();
  }

  base::Task<base::Status> start() override {
    SKIFF_CO_RETURN_IF_ERROR(co_await master_->start());
    SKIFF_CO_RETURN_IF_ERROR(write_kubeconfig(config_, keys_));
    auto joiner = master_->api().loopback_client(auth::control_user(auth::kNodeJoiner));
    auto taking = take_over_prepared_tokens(config_, *joiner, loop::real_clock().now());
    SKIFF_CO_RETURN_IF_ERROR(co_await std::move(taking));
    const NodeIdentity identity = identity_->get();
    base::log_info("skiff serves", {{"version", base::kGitVersion},
                                    {"node", identity.name},
                                    {"address", identity.ip},
                                    {"port", config_.https_port}});
    if (parts_.token().is_cancelled()) co_return base::Status::ok();
    watching_.spawn(keeper_->run(watching_.token()));
    watching_.spawn(follower_->write(watching_.token()));
    watching_.spawn(follower_->watch(config_, *threads_.io, watching_.token()));
    // It may have changed before it was watched.
    watching_.spawn(follower_->look(config_));
    base::spawn_detached(threads_.control->loop(),
                         run_control(control_.get(), parts_.token(), control_done_));
    if (worker_) {
      channel_.set(&worker_->node_channel());
      running_.start(*worker_, threads_, parts_.token(), on_failure_);
    }
    parts_started_ = true;
    co_return base::Status::ok();
  }

  base::Task<void> stop() override {
    channel_.set(nullptr);
    parts_.cancel();
    watching_.cancel();
    if (parts_started_) {
      co_await running_.join();
      co_await control_done_.future();
    }
    co_await watching_.join();
    co_await master_->stop();
  }

  void look_at_certificates() override { keeper_->look_soon(); }

  base::Status close() override { return master_->close(); }

 private:
  // On the control loop; `done` is set when it has ended.
  static base::Task<void> run_control(Control* control, base::CancelToken cancel,
                                      base::OneShot<base::Status> done) {
    co_await control->run(cancel);
    done.set(base::Status::ok());
  }

  const Config& config_;
  Threads& threads_;
  FailureCallback on_failure_;
  std::unique_ptr<MasterIdentity> identity_;
  ClusterKeys keys_;
  LateNodeChannel channel_;
  std::unique_ptr<Master> master_;
  std::unique_ptr<CertificateKeeper> keeper_;
  std::unique_ptr<AddressFollower> follower_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<client::Client> node_client_;
  std::unique_ptr<Worker> worker_;  // null: the role is master alone
  base::CancelSource parts_;        // control and worker
  base::TaskScope watching_;        // certificates and the address; io loop
  WorkerTask running_;
  base::OneShot<base::Status> control_done_;
  bool parts_started_ = false;  // io loop
};

}  // namespace

OpenedParts open_master_node(const Config& config, Threads& threads, FailureCallback on_failure) {
  auto node = std::make_unique<MasterNode>(config, threads, std::move(on_failure));
  SKIFF_RETURN_IF_ERROR(node->open());
  return std::unique_ptr<NodeParts>(std::move(node));
}

}  // namespace skiff::app
