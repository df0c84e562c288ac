// client::NodeChannel of this node: streams are served on the agent's loop.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/frame_pipe.h>

#include "agent/context.h"
#include "agent/pod/pod_manager.h"
#include "agent/streams/cri_log.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::agent {

using client::StreamSession;
using SessionPtr = client::StreamSessionPtr;

// open() is thread-safe, everything else loop-only.
class LocalChannel final : public client::NodeChannel {
 public:
  LocalChannel(const AgentContext& context, PodManager& pods);
  ~LocalChannel() override;

  base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open(
      std::string node, client::NodeRequest request) override;
  void start();
  base::Task<void> stop();
  // A container has ended: who follows its log reads the rest and stops.
  void on_runtime_event();

 private:
  struct Opening {
    client::NodeRequest request;
    SessionPtr session = std::make_shared<StreamSession>();
    base::OneShot<base::Status> opened;
  };
  base::Task<void> serve(std::shared_ptr<Opening> opening);
  base::Task<void> serve_logs(PodWorker* worker, std::shared_ptr<Opening> opening);
  base::Task<void> serve_exec(PodWorker* worker, std::shared_ptr<Opening> opening);
  base::Task<void> serve_attach(PodWorker* worker, std::shared_ptr<Opening> opening);
  base::Task<void> serve_port_forward(PodWorker* worker, std::shared_ptr<Opening> opening);
  base::Task<void> serve_proxy(PodWorker* worker, std::shared_ptr<Opening> opening);
  // The pod's answer; after 101 bytes both ways, until one side ends. `over` ends the exchange.
  base::Task<void> relay_answer(SessionPtr session, std::unique_ptr<http::ResponseStream> answer,
                                base::CancelSource over);
  base::Task<void> serve_node(std::shared_ptr<Opening> opening);
  base::Task<base::Status> send_log(std::string path, std::string container_id, LogOptions options,
                                    SessionPtr session);
  base::Task<bool> is_container_running(std::string container_id);

  const AgentContext& context_;
  PodManager& pods_;
  std::mutex mutex_;
  std::unique_ptr<base::TaskScope> scope_;  // under mutex_; null while not running
  std::map<base::Notifier*, int> followers_;
  std::shared_ptr<http::TlsContext> proxy_tls_;  // made at the first use
};

// Copies a descriptor to a channel until its end, an error, or the cancellation.
base::Task<void> pump_out(loop::Loop& loop, int fd, std::uint32_t channel, SessionPtr session,
                          base::CancelToken cancel);
// The body of a proxied request, whole. Errors: cancelled when it broke off, invalid_argument when
// it is too large.
base::Task<base::Result<std::string>> read_request_body(SessionPtr session);
// Writes all bytes, waiting while the descriptor is full. False when it takes no more.
base::Task<bool> write_fd(loop::Loop& loop, int fd, std::string data, base::CancelToken cancel);
// The Status on channel 3.
std::string success_status();
std::string exit_status(int exit_code);
std::string failure_status(std::string_view message);

}  // namespace skiff::agent
