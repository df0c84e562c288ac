// One thread that hears from every shim: containers that have exited, shims that have ended.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace skiff::runtime {

// Thread-safe. The destructor joins the thread; the callback must not destroy the watcher.
class ExitWatcher {
 public:
  // An empty container id: the shim has ended.
  using Callback = std::function<void(const std::string& pod_uid, const std::string& container_id)>;

  explicit ExitWatcher(Callback callback) : callback_(std::move(callback)) {}
  ~ExitWatcher();
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  // Connects to the shim in `folder` and subscribes; returns when the shim has confirmed.
  base::Status watch(const std::string& pod_uid, const std::string& folder);
  // A callback that has begun may still be running.
  void forget(const std::string& pod_uid);

 private:
  base::Status start();
  void run();
  void handle(int fd);

  Callback callback_;
  std::mutex mutex_;
  std::map<int, std::string> pods_;  // descriptor to uid
  std::map<int, base::UniqueFd> connections_;
  base::UniqueFd epoll_, wake_;
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace skiff::runtime
