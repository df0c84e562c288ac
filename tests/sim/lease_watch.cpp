#include "sim/lease_watch.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "sim/sim_cluster.h"

namespace skiff::sim {

using namespace std::chrono_literals;
namespace resources = client::resources;

namespace {

// The controller gives a node 50 s from when it saw the Lease change; we look each 5 s.
constexpr base::Duration kLostAfterMin = 44s;
// A heartbeat, what it may take on a bad connection, and how seldom we look.
constexpr base::Duration kRenewedWithin = 50s;
constexpr base::Duration kGoodFor = 90s;
constexpr base::Duration kLookEvery = 6s;
// The longest pause between two lists, and the grace that went by meanwhile.
constexpr base::Duration kControlBackWithin = 80s;

}  // namespace

void LeaseWatch::judge(const std::string& node, Seen& seen, bool is_lost, base::MonotonicTime now) {
  const auto age = now - seen.lease_changed_at;
  const bool sees_leases = now - restarted_at_ > kControlBackWithin;
  if (is_lost && !seen.was_lost && age < kLostAfterMin && sees_leases)
    violation_ = base::concat(node, " was lost ", age / 1s, " s after its Lease was renewed");
  if (now - seen.disturbed_at > kGoodFor && age > kRenewedWithin)
    violation_ = base::concat("the Lease of ", node, " was not renewed for ", age / 1s,
                              " s, with a good connection");
  if (seen.was_lost != is_lost)
    base::log_debug(is_lost ? "node lost" : "node found",
                    {{"node", node}, {"at", now.ns / 1'000'000}});
  seen.was_lost = is_lost;
}

void LeaseWatch::look(SimCluster& cluster) {
  if (!violation_.empty()) return;
  const auto now = cluster.loop().monotonic();
  // Who has not looked for a while does not know when a Lease was renewed.
  if (now - looked_at_ > kLookEvery) note_restart(now);
  looked_at_ = now;
  for (const codec::Json& lease : cluster.list(resources::leases)) {
    if (api::namespace_of(lease) != auth::kNodeLeaseNamespace) continue;
    Seen& seen = nodes_[std::string(api::name_of(lease))];
    if (seen.lease_version == api::resource_version_of(lease)) continue;
    seen.lease_version = api::resource_version_of(lease);
    seen.lease_changed_at = now;
    base::log_debug("lease renewed", {{"node", api::name_of(lease)}, {"at", now.ns / 1'000'000}});
  }
  for (auto& board : cluster.boards()) {
    const bool is_good = board->is_connected() && !cluster.network().is_disturbed(board->address());
    if (!is_good || cluster.faults().commit_fails > 0) nodes_[board->name()].disturbed_at = now;
  }
  for (const codec::Json& node : cluster.list(resources::nodes)) {
    const std::string name(api::name_of(node));
    auto found = nodes_.find(name);
    if (found == nodes_.end()) continue;
    const auto ready = api::find_condition(node, "Ready");
    judge(name, found->second, ready["status"].as_string() == "Unknown", now);
  }
}

}  // namespace skiff::sim
