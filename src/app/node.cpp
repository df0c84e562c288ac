#include "app/node.h"

#include <skiff/loop/signals.h>
#include <skiff/loop/time_floor.h>
#include <skiff/sys/files.h>

#include "app/credentials/time_floor.h"
#include "app/node_parts.h"
#include "app/systemd_notify.h"
#include "app/threads.h"

#include <csignal>
#include <optional>

namespace skiff::app {

namespace {

// Starts and stops the parts of a node. The main thread runs the io loop.
class Node {
 public:
  explicit Node(const Config& config) : config_(config) {}

  base::Status run() {
    SKIFF_RETURN_IF_ERROR(open());
    SKIFF_ASSIGN_OR_RETURN(auto on_terminate,
                           loop::watch_signal(*threads_.io, SIGTERM, [this] { begin_stop(); }));
    SKIFF_ASSIGN_OR_RETURN(auto on_interrupt,
                           loop::watch_signal(*threads_.io, SIGINT, [this] { begin_stop(); }));
    SKIFF_ASSIGN_OR_RETURN(auto on_hang_up, loop::watch_signal(*threads_.io, SIGHUP, [this] {
                             parts_->look_at_certificates();
                           }));
    time_floor_.emplace(*threads_.io);
    time_floor_->spawn(keep_time_floor(config_.data_dir, *threads_.io, *threads_.blocking,
                                       loop::raise_time_floor, time_floor_->token()));
    base::spawn_detached(*threads_.io, start());
    threads_.io->run();
    threads_.stop_loops();
    auto closed = parts_->close();
    return failure_.is_ok() ? closed : failure_;
  }

 private:
  base::Status open() {
    SKIFF_RETURN_IF_ERROR(sys::make_folders(config_.data_dir, 0700));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(config_.runtime_dir, 0700));
    believe_time_floor(config_.data_dir);
    SKIFF_ASSIGN_OR_RETURN(threads_, start_threads(config_));
    auto on_failure = [this](base::Status why) { fail(std::move(why)); };
    auto open_parts = config_.master ? open_master_node : open_worker_node;
    SKIFF_ASSIGN_OR_RETURN(parts_, open_parts(config_, threads_, on_failure));
    return base::Status::ok();
  }

  base::Task<void> start() {
    auto started = co_await parts_->start();
    started_.set(true);
    if (!started) {
      fail(std::move(started));
    } else if (!stopping_) {
      notify_systemd("READY=1");
    }
  }

  void fail(base::Status why) {
    if (!stopping_ && failure_.is_ok()) failure_ = std::move(why);
    begin_stop();
  }

  // On the io loop; a second signal changes nothing.
  void begin_stop() {
    if (stopping_) return;
    stopping_ = true;
    notify_systemd("STOPPING=1");
    base::spawn_detached(*threads_.io, stop());
  }

  base::Task<void> stop() {
    time_floor_->cancel();
    co_await time_floor_->join();
    co_await parts_->stop();
    co_await started_.future();
    threads_.io->stop();
  }

  const Config& config_;
  Threads threads_;
  std::unique_ptr<NodeParts> parts_;
  std::optional<base::TaskScope> time_floor_;
  base::OneShot<bool> started_;
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
