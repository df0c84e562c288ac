#include "app/node.h"

#include <skiff/base/log.h>
#include <skiff/base/version.h>
#include <skiff/loop/signals.h>
#include <skiff/sys/files.h>

#include "app/bootstrap.h"
#include "app/control.h"
#include "app/late_node_channel.h"
#include "app/master.h"
#include "app/systemd_notify.h"
#include "app/threads.h"
#include "app/worker.h"

#include <csignal>

namespace skiff::app {

namespace {

// Owns everything of a running node. The main thread runs the io loop.
class Node {
 public:
  explicit Node(const Config& config) : config_(config) {}

  base::Status run() {
    SKIFF_RETURN_IF_ERROR(open());
    SKIFF_ASSIGN_OR_RETURN(auto on_terminate,
                           loop::watch_signal(*threads_.io, SIGTERM, [this] { begin_stop(); }));
    SKIFF_ASSIGN_OR_RETURN(auto on_interrupt,
                           loop::watch_signal(*threads_.io, SIGINT, [this] { begin_stop(); }));
    base::spawn_detached(*threads_.io, start());
    threads_.io->run();
    threads_.control->stop();
    threads_.agent->stop();
    auto closed = master_->close();
    return failure_.is_ok() ? closed : failure_;
  }

 private:
  base::Status open() {
    SKIFF_ASSIGN_OR_RETURN(identity_, find_identity(config_));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(config_.data_dir, 0700));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(config_.runtime_dir, 0700));
    SKIFF_ASSIGN_OR_RETURN(keys_,
                           ensure_cluster_keys(config_, identity_, loop::real_clock().now()));
    SKIFF_ASSIGN_OR_RETURN(threads_, start_threads());
    SKIFF_ASSIGN_OR_RETURN(master_, Master::open(config_, identity_, keys_, threads_, &channel_));
    SKIFF_ASSIGN_OR_RETURN(control_, Control::open(config_, keys_, threads_, master_->api()));
    auto client = master_->api().loopback_client(auth::node_user(identity_.name));
    SKIFF_ASSIGN_OR_RETURN(worker_, Worker::open(config_, identity_, threads_, std::move(client)));
    return base::Status::ok();
  }

  // Runs the parts of the other loops; `done` is set when the part has ended.
  static base::Task<void> run_control(Control* control, base::CancelToken cancel,
                                      base::OneShot<base::Status> done) {
    co_await control->run(cancel);
    done.set(base::Status::ok());
  }
  static base::Task<void> run_worker(Worker* worker, base::CancelToken cancel,
                                     base::OneShot<base::Status> done) {
    auto ended = co_await worker->run(cancel);
    done.set(ended);
  }
  // Ends the node when the worker cannot go on.
  base::Task<void> watch_worker() {
    auto ended = co_await worker_done_.future();
    if (!ended) failure_ = ended.with_context("node agent");
    worker_ended_.set(true);
    begin_stop();
  }

  base::Task<void> start() {
    auto started = co_await master_->start();
    if (started) started = write_kubeconfig(config_, keys_);
    if (!started) {
      failure_ = started;
      begin_stop();
      co_return;
    }
    base::log_info("skiff serves", {{"version", base::kGitVersion},
                                    {"node", identity_.name},
                                    {"address", identity_.ip},
                                    {"port", config_.https_port}});
    base::spawn_detached(threads_.control->loop(),
                         run_control(control_.get(), parts_.token(), control_done_));
    channel_.set(&worker_->node_channel());
    base::spawn_detached(threads_.agent->loop(),
                         run_worker(worker_.get(), parts_.token(), worker_done_));
    base::spawn_detached(*threads_.io, watch_worker());
    parts_started_ = true;
    notify_systemd("READY=1");
  }

  // On the io loop; a second signal changes nothing.
  void begin_stop() {
    if (stopping_) return;
    stopping_ = true;
    notify_systemd("STOPPING=1");
    base::spawn_detached(*threads_.io, stop());
  }

  base::Task<void> stop() {
    channel_.set(nullptr);
    parts_.cancel();
    if (parts_started_) {
      co_await worker_ended_.future();
      co_await control_done_.future();
    }
    co_await master_->stop();
    threads_.io->stop();
  }

  const Config& config_;
  NodeIdentity identity_;
  ClusterKeys keys_;
  Threads threads_;
  LateNodeChannel channel_;
  std::unique_ptr<Master> master_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Worker> worker_;
  base::CancelSource parts_;  // control and worker
  base::OneShot<base::Status> control_done_, worker_done_;
  base::OneShot<bool> worker_ended_;
  base::Status failure_;        // io loop
  bool parts_started_ = false;  // io loop
  bool stopping_ = false;       // io loop
};

}  // namespace

base::Status run_node_until_stopped(const Config& config) {
  // A peer that is gone is an error of the write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  Node node(config);
  return node.run();
}

}  // namespace skiff::app
