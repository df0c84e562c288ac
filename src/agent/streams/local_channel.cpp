#include "agent/streams/local_channel.h"

#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"

namespace skiff::agent {

using codec::Json;

LocalChannel::LocalChannel(const AgentContext& context, PodManager& pods)
    : context_(context), pods_(pods) {}
LocalChannel::~LocalChannel() = default;

void LocalChannel::start() {
  std::lock_guard lock(mutex_);
  scope_ = std::make_unique<base::TaskScope>(*context_.options.executor);
}

base::Task<void> LocalChannel::stop() {
  std::unique_ptr<base::TaskScope> scope;
  {
    std::lock_guard lock(mutex_);
    scope = std::move(scope_);
  }
  if (scope == nullptr) co_return;
  scope->cancel();
  co_await scope->join();
}

void LocalChannel::on_runtime_event() {
  for (const auto& entry : followers_) entry.first->notify();
}

base::Task<base::Result<std::unique_ptr<client::NodeStream>>> LocalChannel::open(
    std::string node, client::NodeRequest request) {
  if (node != context_.options.node_name)
    co_return base::unavailable(base::concat("node ", node, " is not reachable from this server"));
  auto opening = std::make_shared<Opening>();
  opening->request = std::move(request);
  {
    std::lock_guard lock(mutex_);
    if (scope_ == nullptr) co_return base::unavailable("the node's agent is not running");
    if (scope_->running() >= kStreamsMax)
      co_return base::unavailable("too many streams are open on this node");
    opening->session->cancel = base::CancelSource::child_of(scope_->token());
    scope_->spawn(serve(opening));
  }
  base::CancelCallback on_cancel(opening->request.cancel, [opening] {
    opening->session->cancel.cancel();
    opening->opened.set(base::cancelled("the stream is not wanted any more"));
  });
  base::Status status = co_await opening->opened.future();
  if (!status.is_ok()) co_return status;
  co_return client::make_caller_end(opening->session);
}

base::Task<void> LocalChannel::serve(std::shared_ptr<Opening> opening) {
  const auto& request = opening->request;
  using Kind = client::NodeRequest::Kind;
  PodWorker* worker = request.pod_uid.empty() ? pods_.find(request.namespace_name, request.pod)
                                              : pods_.find(request.pod_uid);
  if (request.kind == Kind::node) {
    co_await serve_node(opening);
  } else if (worker == nullptr) {
    opening->opened.set(base::not_found(
        base::concat("pod ", base::quote(request.pod), " is not known on this node yet")));
  } else if (request.kind == Kind::logs) {
    co_await serve_logs(worker, opening);
  } else if (request.kind == Kind::proxy) {
    co_await serve_proxy(worker, opening);
  } else if (context_.options.loop == nullptr) {
    opening->opened.set(base::unavailable("this node has no event loop for streams"));
  } else if (request.kind == Kind::exec) {
    co_await serve_exec(worker, opening);
  } else if (request.kind == Kind::attach) {
    co_await serve_attach(worker, opening);
  } else if (request.kind == Kind::port_forward) {
    co_await serve_port_forward(worker, opening);
  } else {
    opening->opened.set(
        base::Status(base::Code::unimplemented, "the node does not serve streams of this kind"));
  }
  opening->opened.set(base::unavailable("the stream ended before it began"));
  opening->session->to_agent.close();
  opening->session->to_caller.close();
}

base::Task<bool> LocalChannel::is_container_running(std::string container_id) {
  auto* runtime = context_.options.runtime;
  auto look = [runtime, container_id] {
    auto status = runtime->container(container_id);
    return status.is_ok() && status->state == runtime::ContainerState::running;
  };
  co_return co_await loop::run_blocking(*context_.options.work, std::move(look));
}

std::string success_status() { return R"({"metadata":{},"status":"Success"})"; }

std::string failure_status(std::string_view message) {
  return codec::write_json(Json::object({{"metadata", Json::object()},
                                         {"status", "Failure"},
                                         {"message", message},
                                         {"reason", "InternalError"},
                                         {"code", 500}}));
}

std::string exit_status(int exit_code) {
  if (exit_code == 0) return success_status();
  Json cause = Json::object({{"reason", "ExitCode"}, {"message", std::to_string(exit_code)}});
  Json details = Json::object({{"causes", Json::array({std::move(cause)})}});
  return codec::write_json(Json::object(
      {{"metadata", Json::object()},
       {"status", "Failure"},
       {"message", base::concat("command terminated with non-zero exit code: error executing "
                                "command, exit code ",
                                exit_code)},
       {"reason", "NonZeroExitCode"},
       {"details", std::move(details)}}));
}

}  // namespace skiff::agent
