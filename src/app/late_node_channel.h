// The API server is made before the agent that answers its streams; this stands between them.
#pragma once

#include <skiff/client/node_channel.h>

#include <mutex>

namespace skiff::app {

// Thread-safe. Unavailable until set() and after it is set to null.
class LateNodeChannel final : public client::NodeChannel {
 public:
  void set(client::NodeChannel* channel) {
    std::lock_guard lock(mutex_);
    channel_ = channel;
  }
  base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open(
      std::string node, client::NodeRequest request) override {
    client::NodeChannel* channel = nullptr;
    {
      std::lock_guard lock(mutex_);
      channel = channel_;
    }
    if (channel == nullptr) co_return base::unavailable("the node agent is not running");
    auto opened = channel->open(std::move(node), std::move(request));
    auto stream = co_await std::move(opened);
    co_return std::move(stream);
  }

 private:
  std::mutex mutex_;
  client::NodeChannel* channel_ = nullptr;  // under mutex_
};

}  // namespace skiff::app
