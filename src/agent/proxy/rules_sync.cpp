#include "agent/limits.h"
#include "agent/proxy/plan_host_ports.h"
#include "agent/proxy/plan_service_rules.h"
#include "agent/proxy/service_table.h"

#include <skiff/base/log.h>
#include <skiff/loop/work_pool.h>

#include <algorithm>

namespace skiff::agent {

namespace {

// Loop-only. One set of rules is applied at a time; what changes meanwhile goes into the next.
class RulesSync final : public ServiceProxy {
 public:
  RulesSync(ServiceTable& table, net::PacketRules& rules, base::Executor& work_pool,
            base::Timers& timers, ServiceProxyOptions options)
      : table_(table),
        rules_(rules),
        work_pool_(work_pool),
        timers_(timers),
        options_(std::move(options)) {
    std::weak_ptr<RulesSync*> self = self_;
    table_.add_listener([self](const std::string& key) {
      if (auto alive = self.lock()) (*alive)->mark(key);
    });
  }

  base::Task<void> run(base::CancelToken cancel) override;
  bool has_applied() const override { return applied_ > 0; }
  base::Task<bool> begin_termination(std::string pod_ip, base::CancelToken cancel) override;
  void forget_address(const std::string& pod_ip) override;
  void set_host_ports(const std::string& pod_uid, std::vector<net::ServiceRule> rules) override;

 private:
  struct Waiter {
    std::uint64_t generation;
    base::OneShot<bool> done;
  };

  void mark(const std::string& service_key) {
    dirty_.insert(service_key);
    ++wanted_;
    changed_.notify();
  }
  void mark_users_of(const std::string& address) {
    for (const auto& key : table_.by_endpoint(address)) mark(key);
  }
  void plan_dirty();
  net::RuleSet rule_set() const;
  void wake_waiters();

  ServiceTable& table_;
  net::PacketRules& rules_;
  base::Executor& work_pool_;
  base::Timers& timers_;
  const ServiceProxyOptions options_;

  std::set<std::string> leaving_;
  std::set<std::string> dirty_;
  std::map<std::string, std::vector<net::ServiceRule>> planned_;     // by Service
  std::map<std::string, std::vector<net::ServiceRule>> host_ports_;  // by pod
  std::uint64_t wanted_ = 1;
  std::uint64_t applied_ = 0;
  std::vector<Waiter> waiters_;
  base::Notifier changed_;
  // The table may outlive this object.
  const std::shared_ptr<RulesSync*> self_ = std::make_shared<RulesSync*>(this);
};

void RulesSync::plan_dirty() {
  RulesInput input;
  input.node_name = options_.node_name;
  input.cluster_dns = options_.cluster_dns;
  input.leaving = &leaving_;
  for (const std::string& key : dirty_) {
    std::vector<net::ServiceRule> rules;
    const ServiceModel* service = table_.find(key);
    if (service != nullptr) plan_service_rules(input, *service, table_.slices_of(key), &rules);
    if (rules.empty()) {
      planned_.erase(key);
    } else {
      planned_[key] = std::move(rules);
    }
  }
  dirty_.clear();
}

net::RuleSet RulesSync::rule_set() const {
  net::RuleSet set;
  set.pod_cidr = options_.pod_cidr;
  set.cluster_cidr = options_.cluster_cidr;
  set.service_cidr = options_.service_cidr;
  for (const auto& entry : planned_)
    set.services.insert(set.services.end(), entry.second.begin(), entry.second.end());
  std::vector<net::ServiceRule> host_ports;
  for (const auto& entry : host_ports_)
    host_ports.insert(host_ports.end(), entry.second.begin(), entry.second.end());
  for (auto& rule : without_conflicts(set.services, std::move(host_ports)))
    set.services.push_back(std::move(rule));
  return set;
}

base::Task<void> RulesSync::run(base::CancelToken cancel) {
  // Half of the Services would look like rules to delete.
  bool synced = co_await table_.wait_synced(cancel);
  if (!synced) co_return;
  base::Duration retry = kRulesRetryInitial;
  // The table may have been filled before we listened.
  for (const auto& entry : table_.services()) dirty_.insert(entry.first);
  changed_.notify();
  for (;;) {
    bool notified = co_await changed_.wait(cancel);
    if (!notified) co_return;
    std::uint64_t generation = wanted_;
    plan_dirty();
    net::PacketRules* rules = &rules_;
    auto apply = [rules, set = rule_set()] { return rules->apply(set); };
    auto applying = loop::run_blocking(work_pool_, std::move(apply));
    base::Status status = co_await std::move(applying);
    if (status.is_ok()) {
      retry = kRulesRetryInitial;
      applied_ = generation;
      wake_waiters();
      continue;
    }
    base::log_warning("the rules of the Services could not be changed; trying again",
                      {{"error", status}});
    bool slept = co_await base::sleep(timers_, retry, cancel);
    if (!slept) co_return;
    retry = std::min(retry * 2, kRulesRetryMax);
    changed_.notify();
  }
}

void RulesSync::wake_waiters() {
  auto waiting = std::partition(waiters_.begin(), waiters_.end(),
                                [this](const Waiter& w) { return w.generation > applied_; });
  std::vector<Waiter> ready(std::make_move_iterator(waiting),
                            std::make_move_iterator(waiters_.end()));
  waiters_.erase(waiting, waiters_.end());
  for (const Waiter& waiter : ready) waiter.done.set(true);
}

base::Task<bool> RulesSync::begin_termination(std::string pod_ip, base::CancelToken cancel) {
  leaving_.insert(pod_ip);
  mark_users_of(pod_ip);
  if (applied_ >= wanted_) co_return true;
  base::OneShot<bool> done;
  waiters_.push_back({wanted_, done});
  base::CancelCallback on_cancel(cancel, [done] { done.set(false); });
  auto future = done.future();
  bool holds = co_await future;
  co_return holds;
}

void RulesSync::forget_address(const std::string& pod_ip) {
  if (leaving_.erase(pod_ip) > 0) mark_users_of(pod_ip);
}

void RulesSync::set_host_ports(const std::string& pod_uid, std::vector<net::ServiceRule> rules) {
  if (rules.empty())
    host_ports_.erase(pod_uid);
  else
    host_ports_[pod_uid] = std::move(rules);
  ++wanted_;
  changed_.notify();
}

}  // namespace

std::unique_ptr<ServiceProxy> make_service_proxy(ServiceView& view, net::PacketRules& rules,
                                                 base::Executor& work_pool, base::Timers& timers,
                                                 ServiceProxyOptions options) {
  return std::make_unique<RulesSync>(static_cast<ServiceTable&>(view), rules, work_pool, timers,
                                     std::move(options));
}

}  // namespace skiff::agent
