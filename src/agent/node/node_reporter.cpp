#include "agent/node/node_reporter.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/client/node_lease.h>
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/node/host_facts.h"
#include "agent/pod/wait.h"

#include <algorithm>
#include <utility>

namespace skiff::agent {

using codec::Json;

NodeInput NodeReporter::make_input(const AgentOptions& options, HostFacts host) {
  NodeInput input;
  input.name = options.node_name;
  input.ip = options.node_ip;
  input.version = options.version;
  input.runtime_version = options.runtime_version;
  input.labels = options.node_labels;
  input.taints = options.node_taints;
  input.pods_max = options.pods_max;
  input.host = std::move(host);
  return input;
}

NodeReporter::NodeReporter(const AgentContext& context, HostFacts host, PodCidrCallback on_pod_cidr)
    : context_(context),
      input_(make_input(context.options, std::move(host))),
      on_pod_cidr_(std::move(on_pod_cidr)) {}

void NodeReporter::set_not_ready(std::string message) {
  input_.not_ready_message = std::move(message);
  changed_.notify();
}

void NodeReporter::set_node_ip(std::string ip) {
  input_.ip = std::move(ip);
  changed_.notify();
}

namespace {

std::int64_t version_of(const Json& node) {
  return base::parse_int(node["metadata"]["resourceVersion"].as_string()).value_or(0);
}

}  // namespace

// Answers and the watch overtake each other.
void NodeReporter::take_node(Json node) {
  if (version_of(node) >= version_of(node_)) node_ = std::move(node);
}

void NodeReporter::on_node(const api::StoredObject& node) {
  auto tree = node.empty() ? base::Result<Json>(Json()) : node.parse();
  if (!tree || !is_registered_ || version_of(*tree) <= version_of(node_)) return;
  const Json& present = std::as_const(node_);
  const Json& fresh = std::as_const(*tree);
  const bool is_other = is_node_status_changed(present["status"], fresh["status"]) ||
                        present["spec"]["podCIDR"] != fresh["spec"]["podCIDR"];
  node_ = std::move(*tree);
  if (is_other) changed_.notify();
}

base::Task<base::Status> NodeReporter::register_node() {
  auto& client = *context_.options.client;
  auto present = co_await client.get(client::resources::nodes, "", input_.name);
  if (!present && present.code() == base::Code::not_found) {
    present = co_await client.create(client::resources::nodes, "", plan_node(input_));
    if (present) base::log_info("registered the node", {{"node", input_.name}});
  } else if (present) {
    Json labels = plan_node(input_)["metadata"]["labels"];
    bool is_same =
        std::all_of(labels.members().begin(), labels.members().end(), [&](const auto& label) {
          return (*present)["metadata"]["labels"][label.key] == label.value;
        });
    if (!is_same) {
      Json patch = Json::object({{"metadata", Json::object({{"labels", std::move(labels)}})}});
      present = co_await client.patch(client::resources::nodes, "", input_.name,
                                      client::PatchType::merge, std::move(patch));
    }
  }
  if (!present) co_return present.status();
  node_ = Json();
  take_node(std::move(*present));
  is_registered_ = true;
  registered_.notify();
  co_return base::Status();
}

base::Task<void> NodeReporter::tell_pod_cidr() {
  std::string cidr(std::as_const(node_)["spec"]["podCIDR"].as_string());
  if (cidr.empty() || cidr == told_cidr_) co_return;
  told_cidr_ = cidr;
  auto telling = on_pod_cidr_(std::move(cidr));
  co_await telling;
}

base::Task<base::Status> NodeReporter::report() {
  auto& client = *context_.options.client;
  if (!is_registered_) {
    auto status = co_await register_node();
    if (!status.is_ok()) co_return status;
  }
  // First, so that a node which has its podCIDR need not say that it is not ready: that would be
  // another write, and two of the master, which taints it meanwhile.
  auto telling = tell_pod_cidr();
  co_await telling;
  auto look = [&options = context_.options] {
    return std::pair(read_host_facts(options), options.images->list());
  };
  auto facts = co_await loop::run_blocking(*context_.options.work, std::move(look));
  input_.host = std::move(facts.first);
  input_.images = std::move(facts.second);
  const Json status = plan_node_status(input_, std::as_const(node_)["status"], context_.now());
  bool is_due = context_.monotonic() - reported_at_ >= kNodeStatusReportInterval;
  if (is_due || is_node_status_changed(std::as_const(node_)["status"], status)) {
    Json patch =
        Json::object({{"status", plan_node_status_patch(std::as_const(node_)["status"], status)}});
    auto answer = co_await client.patch(client::resources::nodes, "", input_.name,
                                        client::PatchType::strategic, std::move(patch), "status");
    if (!answer) {
      if (answer.code() == base::Code::not_found) is_registered_ = false;
      co_return answer.status();
    }
    take_node(std::move(*answer));
    reported_at_ = context_.monotonic();
  }
  if (node_["spec"]["podCIDR"].empty()) {
    auto fresh = co_await client.get(client::resources::nodes, "", input_.name);
    if (!fresh) co_return fresh.status();
    take_node(std::move(*fresh));
  }
  auto telling_again = tell_pod_cidr();
  co_await telling_again;
  co_return base::Status();
}

base::Task<void> NodeReporter::run_status(base::CancelToken cancel) {
  reported_at_ = context_.monotonic() + base::Duration(-kNodeStatusReportInterval);
  base::Duration retry = kStatusRetryInitial;
  while (!cancel.is_cancelled()) {
    base::Status status = co_await report();
    base::Duration pause = kNodeStatusCheckInterval;
    // Until the pod network is there nothing is more urgent.
    if (!status.is_ok() || told_cidr_.empty()) {
      pause = retry;
      retry = std::min<base::Duration>(retry * 2, kNodeStatusCheckInterval);
    }
    if (!status.is_ok()) base::log_warning("node status was not written", {{"error", status}});
    co_await wait_until(changed_, context_.timers(), context_.monotonic() + pause, cancel);
  }
}

static_assert(client::kNodeLeaseSeconds * 1s >= 4 * kLeaseRenewInterval,
              "three renewals may be lost");

base::Task<base::Status> NodeReporter::renew() {
  std::string uid(node_["metadata"]["uid"].as_string());
  co_return co_await client::renew_node_lease(*context_.options.client, input_.name, uid,
                                              context_.now());
}

base::Task<void> NodeReporter::run_lease(base::CancelToken cancel) {
  while (!is_registered_) {
    bool notified = co_await registered_.wait(cancel);
    if (!notified) co_return;
  }
  for (;;) {
    base::Status status = co_await renew();
    base::Duration pause = kLeaseRenewInterval;
    if (!status.is_ok()) {
      base::log_warning("node lease was not renewed", {{"error", status}});
      pause = std::min<base::Duration>(2s, pause);
    }
    bool slept = co_await base::sleep(context_.timers(), pause, cancel);
    if (!slept) co_return;
  }
}

}  // namespace skiff::agent
