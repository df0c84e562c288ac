// The Lease in kube-node-lease that says that a node is alive.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/client/client.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <string>

namespace skiff::client {

inline constexpr std::int64_t kNodeLeaseSeconds = 40;

codec::Json plan_lease(const std::string& node_name, const std::string& node_uid,
                       base::WallTime now);
// Renews it, or makes it where it is missing. Errors: not_found when it is missing and `node_uid`
// is empty, because the node that would own it is not there.
base::Task<base::Status> renew_node_lease(Client& client, std::string node_name,
                                          std::string node_uid, base::WallTime now);

}  // namespace skiff::client
