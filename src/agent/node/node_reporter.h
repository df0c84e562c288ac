// Registers the node, keeps its status and lease up to date, and learns its podCIDR.
#pragma once

#include "agent/context.h"
#include "agent/node/plan_node.h"

#include <functional>
#include <string>

namespace skiff::agent {

// Loop-only.
class NodeReporter {
 public:
  using PodCidrCallback = std::function<base::Task<void>(std::string)>;
  NodeReporter(const AgentContext& context, HostFacts host, PodCidrCallback on_pod_cidr);

  // Both return when cancelled.
  base::Task<void> run_status(base::CancelToken cancel);
  base::Task<void> run_lease(base::CancelToken cancel);
  // Empty: ready.
  void set_not_ready(std::string message);
  void set_node_ip(std::string ip);
  // The Node as the API has it, from a watch: what others made of it (the master's verdict after an
  // outage, another podCIDR) is answered at once.
  void on_node(const api::StoredObject& node);
  // Null before it is registered.
  const codec::Json& node() const { return node_; }
  const std::string& not_ready() const { return input_.not_ready_message; }
  static NodeInput make_input(const AgentOptions& options, HostFacts host);

 private:
  base::Task<base::Status> register_node();
  void take_node(codec::Json node);
  base::Task<base::Status> report();
  base::Task<void> tell_pod_cidr();
  base::Task<base::Status> renew();

  const AgentContext& context_;
  NodeInput input_;
  PodCidrCallback on_pod_cidr_;
  codec::Json node_;
  std::string told_cidr_;
  base::Notifier changed_, registered_;
  base::MonotonicTime reported_at_;
  bool is_registered_ = false;
};

}  // namespace skiff::agent
