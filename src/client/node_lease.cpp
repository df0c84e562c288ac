#include <skiff/client/node_lease.h>

namespace skiff::client {

using codec::Json;

codec::Json plan_lease(const std::string& node_name, const std::string& node_uid,
                       base::WallTime now) {
  Json owner = Json::object(
      {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node_name}, {"uid", node_uid}});
  return Json::object(
      {{"apiVersion", "coordination.k8s.io/v1"},
       {"kind", "Lease"},
       {"metadata", Json::object({{"name", node_name},
                                  {"namespace", "kube-node-lease"},
                                  {"ownerReferences", Json::array({std::move(owner)})}})},
       {"spec", Json::object({{"holderIdentity", node_name},
                              {"leaseDurationSeconds", kNodeLeaseSeconds},
                              {"renewTime", base::format_rfc3339_micro(now)}})}});
}

base::Task<base::Status> renew_node_lease(Client& client, std::string node_name,
                                          std::string node_uid, base::WallTime now) {
  Json lease = plan_lease(node_name, node_uid, now);
  Json patch = Json::object({{"spec", lease["spec"]}});
  auto patching = client.patch(resources::leases, "kube-node-lease", node_name, PatchType::merge,
                               std::move(patch));
  auto answer = co_await std::move(patching);
  if (!answer && answer.code() == base::Code::not_found && !node_uid.empty()) {
    auto creating = client.create(resources::leases, "kube-node-lease", std::move(lease));
    answer = co_await std::move(creating);
  }
  co_return answer.status();
}

}  // namespace skiff::client
