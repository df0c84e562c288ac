#include "sim/fake_node.h"

#include <skiff/base/strings.h>

namespace skiff::sim {

using base::Status;
using base::Task;
using codec::Json;
namespace resources = client::resources;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration kHeartbeat = 10s;
constexpr base::Duration kStartMax = 3s;
constexpr base::Duration kEndMax = 2s;

Json node_conditions(base::WallTime now) {
  std::string time = base::format_rfc3339(now);
  Json ready = Json::object({{"type", "Ready"},
                             {"status", "True"},
                             {"reason", "KubeletReady"},
                             {"message", "ready"},
                             {"lastHeartbeatTime", time},
                             {"lastTransitionTime", time}});
  return Json::array({std::move(ready)});
}

}  // namespace

FakeNode::FakeNode(client::Client& client, base::Executor& executor, base::Random& random,
                   NodeHost host)
    : client_(client),
      executor_(executor),
      timers_(host.timers),
      random_(random),
      name_(std::move(host.name)),
      address_(std::move(host.address)),
      renews_lease_(host.renews_lease) {}

FakeNode::~FakeNode() = default;

void FakeNode::start() {
  scope_ = std::make_unique<base::TaskScope>(executor_);
  client::ListOptions options;
  options.field_selector = "spec.nodeName=" + name_;
  pods_ = client::make_informer(client_, timers_, resources::pods, options, {});
  queue_ = client::make_work_queue(timers_);
  pods_->add_handler([this](const api::StoredObject& before, const api::StoredObject& after) {
    const api::StoredObject& object = after.empty() ? before : after;
    look_at(object);
    queue_->add(base::concat(object.namespace_name(), '/', object.name()));
  });
  scope_->spawn(heartbeat());
  scope_->spawn(pods_->run(scope_->token()));
  scope_->spawn(work());
}

void FakeNode::look_at(const api::StoredObject& pod) {
  auto node = api::scan_string(pod.text(), {"spec", "nodeName"});
  if (violation_.empty() && node.value_or("") != name_)
    violation_ = base::concat(name_, " was shown the pod ", pod.name(), " of ", node.value_or(""));
}

Task<void> FakeNode::stop() {
  scope_->cancel();
  co_await scope_->join();
  scope_.reset();
  queue_.reset();
  pods_.reset();
}

Task<void> FakeNode::register_node() {
  Json node = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  node["metadata"].set("name", name_);
  node["metadata"]["labels"].set("kubernetes.io/hostname", name_);
  auto creating = client_.create(resources::nodes, "", std::move(node), "", "");
  auto created = co_await std::move(creating);
  (void)created;  // there already, or told again with the next heartbeat
}

Task<Status> FakeNode::report_ready() {
  auto getting = client_.get(resources::nodes, "", name_);
  auto found = co_await std::move(getting);
  if (found.code() == base::Code::not_found) {
    co_await register_node();
    co_return base::unavailable("registering");
  }
  if (!found.is_ok()) co_return found.status();
  Json node = std::move(*found);
  bool ready = api::find_condition(node, "Ready")["status"].as_string() == "True";
  if (ready && !node.at({"status", "allocatable"}).empty()) co_return Status::ok();
  Json resources_of_node = Json::object({{"cpu", "4"}, {"memory", "8Gi"}, {"pods", "110"}});
  node["status"].set("capacity", resources_of_node);
  node["status"].set("allocatable", resources_of_node);
  node["status"].set("conditions", node_conditions(timers_.clock().now()));
  auto updating = client_.update(resources::nodes, std::move(node), "status");
  auto updated = co_await std::move(updating);
  co_return updated.status();
}

Task<Status> FakeNode::renew_lease() {
  constexpr char kNamespace[] = "kube-node-lease";
  std::string now = base::format_rfc3339_micro(timers_.clock().now());
  auto getting = client_.get(resources::leases, kNamespace, name_);
  auto found = co_await std::move(getting);
  if (found.is_ok()) {
    Json lease = std::move(*found);
    lease["spec"].set("renewTime", now);
    auto updating = client_.update(resources::leases, std::move(lease), "");
    auto updated = co_await std::move(updating);
    co_return updated.status();
  }
  if (found.code() != base::Code::not_found) co_return found.status();
  Json lease = Json::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
  lease["metadata"].set("name", name_);
  lease["metadata"].set("namespace", kNamespace);
  lease["spec"].set("holderIdentity", name_);
  lease["spec"].set("leaseDurationSeconds", 40);
  lease["spec"].set("renewTime", now);
  auto creating = client_.create(resources::leases, kNamespace, std::move(lease), "", "");
  auto created = co_await std::move(creating);
  co_return created.status();
}

Task<void> FakeNode::heartbeat() {
  base::CancelToken cancel = scope_->token();
  while (!cancel.is_cancelled()) {
    Status reported = co_await report_ready();
    Status renewed;
    if (renews_lease_) renewed = co_await renew_lease();
    bool well = reported.is_ok() && renewed.is_ok();
    co_await base::sleep(timers_, well ? kHeartbeat : base::Duration(1s), cancel);
  }
}

Task<void> FakeNode::work() {
  base::CancelToken cancel = scope_->token();
  for (;;) {
    auto taking = queue_->take(cancel);
    auto key = co_await std::move(taking);
    if (!key) co_return;
    Status done = co_await sync(*key);
    queue_->done(*key);
    if (done.is_ok())
      queue_->forget(*key);
    else
      queue_->add_rate_limited(*key);
  }
}

Json FakeNode::ready_status(const Json& pod, const std::string& address) const {
  std::string time = base::format_rfc3339(timers_.clock().now());
  Json status = pod["status"];
  status.set("phase", "Running");
  status.set("podIP", address);
  status.set("podIPs", Json::array({Json::object({{"ip", address}})}));
  status.set("hostIP", address_);
  status.set("startTime", time);
  Json conditions = Json::array();
  for (const Json& condition : status["conditions"].items())
    if (condition["type"].as_string() != "Ready") conditions.push_back(condition);
  conditions.push_back(
      Json::object({{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", time}}));
  status.set("conditions", std::move(conditions));
  return status;
}

Task<Status> FakeNode::sync(std::string key) {
  api::StoredObject stored = pods_->get(key);
  if (stored.empty()) co_return Status::ok();
  auto tree = stored.parse();
  if (!tree.is_ok()) co_return tree.status();
  Json pod = std::move(*tree);
  std::string uid(api::uid_of(pod)), namespace_name(api::namespace_of(pod));
  std::string name(api::name_of(pod));
  base::MonotonicTime now = timers_.clock().monotonic();
  if (api::is_being_deleted(pod)) {
    auto ended = ended_at_.try_emplace(uid, now + up_to(random_, kEndMax)).first;
    if (ended->second > now) {
      queue_->add_after(key, ended->second - now);
      co_return Status::ok();
    }
    client::DeleteOptions options;
    options.uid = uid;
    options.grace_period_seconds = 0;
    auto removing = client_.remove(resources::pods, namespace_name, name, options);
    Status removed = co_await std::move(removing);
    if (removed.code() != base::Code::not_found && !removed.is_ok()) co_return removed;
    ended_at_.erase(uid);
    ready_at_.erase(uid);
    pod_addresses_.erase(uid);
    co_return Status::ok();
  }
  auto ready = ready_at_.try_emplace(uid, now + up_to(random_, kStartMax)).first;
  if (ready->second > now) {
    queue_->add_after(key, ready->second - now);
    co_return Status::ok();
  }
  bool is_ready = api::find_condition(pod, "Ready")["status"].as_string() == "True";
  if (is_ready) co_return Status::ok();
  std::string& address = pod_addresses_[uid];
  if (address.empty()) {
    std::size_t dot = address_.rfind('.');
    address = base::concat("10.42.", address_.substr(dot + 1), '.', next_address_++ % 250 + 2);
  }
  pod.set("status", ready_status(pod, address));
  auto updating = client_.update(resources::pods, std::move(pod), "status");
  auto updated = co_await std::move(updating);
  if (updated.code() == base::Code::not_found) co_return Status::ok();
  co_return updated.status();
}

}  // namespace skiff::sim
