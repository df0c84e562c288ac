#include "app/node.h"

#include <skiff/base/log.h>
#include <skiff/base/version.h>
#include <skiff/loop/signals.h>
#include <skiff/sys/files.h>

#include "app/bootstrap.h"
#include "app/master.h"
#include "app/systemd_notify.h"
#include "app/threads.h"

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
    SKIFF_ASSIGN_OR_RETURN(master_, Master::open(config_, identity_, keys_, threads_, nullptr));
    return base::Status::ok();
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
    co_await master_->stop();
    threads_.io->stop();
  }

  const Config& config_;
  NodeIdentity identity_;
  ClusterKeys keys_;
  Threads threads_;
  std::unique_ptr<Master> master_;
  base::Status failure_;   // io loop
  bool stopping_ = false;  // io loop
};

}  // namespace

base::Status run_node_until_stopped(const Config& config) {
  // A peer that is gone is an error of the write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  Node node(config);
  return node.run();
}

}  // namespace skiff::app
