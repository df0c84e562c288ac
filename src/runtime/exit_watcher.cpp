#include "runtime/exit_watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "runtime/limits.h"
#include "runtime/shim_client.h"

namespace skiff::runtime {

ExitWatcher::~ExitWatcher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

base::Status ExitWatcher::start() {
  std::lock_guard lock(mutex_);
  if (thread_.joinable()) return {};
  epoll_ = base::UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  if (!epoll_ || !wake_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    return base::errno_status(errno, "watch supervisors");
  thread_ = std::thread([this] { run(); });
  return {};
}

base::Status ExitWatcher::watch(const std::string& pod_uid, const std::string& folder) {
  SKIFF_RETURN_IF_ERROR(start());
  SKIFF_ASSIGN_OR_RETURN(auto fd, connect_shim(folder));
  SKIFF_RETURN_IF_ERROR(send_shim(fd.get(), ShimRequest(SHIM_WATCH)));
  SKIFF_ASSIGN_OR_RETURN(auto reply, receive_shim(fd.get(), kShimRequestMs));
  if (reply.type != SHIM_OK) return base::unavailable("the pod's supervisor does not answer");
  std::lock_guard lock(mutex_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd.get();
  pods_[fd.get()] = pod_uid;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
    return base::errno_status(errno, "watch supervisor");
  connections_[fd.get()] = std::move(fd);
  return {};
}

void ExitWatcher::forget(const std::string& pod_uid) {
  std::lock_guard lock(mutex_);
  for (auto pod = pods_.begin(); pod != pods_.end();) {
    if (pod->second == pod_uid) {
      connections_.erase(pod->first);
      pod = pods_.erase(pod);
    } else {
      ++pod;
    }
  }
}

void ExitWatcher::handle(int fd) {
  std::string uid, id;
  {
    std::lock_guard lock(mutex_);
    auto pod = pods_.find(fd);
    if (pod == pods_.end()) return;
    uid = pod->second;
    auto reply = receive_shim(fd, 0);
    if (reply.code() == base::Code::deadline_exceeded) return;
    if (reply.is_ok() && reply->type == SHIM_EXITED) id = reply->id;
    if (!reply.is_ok() || reply->type == 0) {
      pods_.erase(pod);
      connections_.erase(fd);
    } else if (id.empty()) {
      return;  // of a newer shim
    }
  }
  callback_(uid, id);
}

void ExitWatcher::run() {
  prctl(PR_SET_NAME, "exits");
  for (;;) {
    epoll_event events[kWatchEventsMax];
    int count = epoll_wait(epoll_.get(), events, kWatchEventsMax, -1);
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    for (int i = 0; i < count; ++i)
      if (events[i].data.fd != wake_.get()) handle(events[i].data.fd);
  }
}

}  // namespace skiff::runtime
