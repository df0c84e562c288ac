#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/net/packet_rules.h>

#include "net/conntrack.h"
#include "net/rule_plan.h"
#include "net/service_rules.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>

namespace skiff::net {

namespace {

std::set<std::string> endpoint_addresses(const RuleSet& rules) {
  std::set<std::string> addresses;
  for (const auto& service : rules.services)
    for (const auto& endpoint : service.endpoints) addresses.insert(endpoint.address);
  return addresses;
}

std::vector<std::string> difference(const std::set<std::string>& a,
                                    const std::set<std::string>& b) {
  std::vector<std::string> only_a;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only_a));
  return only_a;
}

class NftablesRules final : public PacketRules {
 public:
  explicit NftablesRules(std::string table) : table_(std::move(table)) {}

  base::Status apply(const RuleSet& rules) override {
    std::lock_guard lock(mutex_);
    bool whole = !applied_ || applied_->pod_cidr != rules.pod_cidr ||
                 applied_->cluster_cidr != rules.cluster_cidr ||
                 applied_->service_cidr != rules.service_cidr;
    RuleChanges changes = plan_rule_changes(applied_ ? applied_->services : kNone, rules.services);
    auto done = whole ? apply_all(rules) : apply_changes(rules, changes);
    if (!done && !whole) {
      // Somebody else changed our table: make it anew.
      base::log_warning("packet rules are made anew", {{"table", table_}, {"error", done}});
      done = apply_all(rules);
    }
    if (!done) {
      applied_.reset();
      return done.with_context(base::concat("nftables table ", table_));
    }
    applied_ = rules;
    if (auto forgotten = forget_udp_flows(changes.lost_udp_endpoints); !forgotten)
      base::log_warning("old UDP flows may linger", {{"error", forgotten}});
    return base::Status::ok();
  }

  base::Status clear() override {
    std::lock_guard lock(mutex_);
    applied_.reset();
    NftBatch batch(table_);
    batch.add_table();  // so that deleting finds one
    batch.delete_table();
    return batch.commit();
  }

 private:
  base::Status apply_all(const RuleSet& rules) const {
    NftBatch batch(table_);
    batch.add_table();
    batch.delete_table();
    add_frame(batch, rules);
    std::uint32_t next_set_id = kFirstAnonymous;
    for (const auto& service : rules.services) add_service(batch, service, next_set_id);
    auto addresses = endpoint_addresses(rules);
    add_hairpins(batch, {addresses.begin(), addresses.end()});
    return batch.commit();
  }

  base::Status apply_changes(const RuleSet& rules, const RuleChanges& changes) const {
    NftBatch batch(table_);
    for (const auto& [rule, successor] : changes.removed) remove_service(batch, *rule, successor);
    std::uint32_t next_set_id = kFirstAnonymous;
    for (const auto* service : changes.added) add_service(batch, *service, next_set_id);
    auto before = endpoint_addresses(*applied_), after = endpoint_addresses(rules);
    remove_hairpins(batch, difference(before, after));
    add_hairpins(batch, difference(after, before));
    return batch.empty() ? base::Status::ok() : batch.commit();
  }

  inline static const std::vector<ServiceRule> kNone;
  const std::string table_;
  std::mutex mutex_;
  std::optional<RuleSet> applied_;  // under mutex_; what the kernel holds
};

}  // namespace

base::Result<std::unique_ptr<PacketRules>> make_nftables_rules(const std::string& table_name) {
  if (table_name.empty() || table_name.size() > 31)
    return base::invalid_argument(
        base::concat("bad nftables table name ", base::quote(table_name)));
  auto rules = std::make_unique<NftablesRules>(table_name);
  // Before the first pod; and a host without nftables is told at start.
  NftBatch guarded(table_name);
  guarded.add_table();
  add_loopback_guard(guarded);
  SKIFF_RETURN_IF_ERROR(guarded.commit());
  return std::unique_ptr<PacketRules>(std::move(rules));
}

}  // namespace skiff::net
