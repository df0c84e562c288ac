// The compact copy of Services and EndpointSlices that rules and DNS read.
#pragma once

#include "agent/proxy/service_model.h"

#include <skiff/agent/proxy.h>

#include <functional>
#include <set>

namespace skiff::agent {

// Loop-only.
class ServiceTable final : public ServiceView {
 public:
  ServiceTable(client::Informer& services, client::Informer& endpoint_slices);

  bool has_synced() const override { return services_.has_synced() && slices_.has_synced(); }
  base::Task<bool> wait_synced(base::CancelToken cancel);
  // Called with a Service's key after anything about it changed.
  void add_listener(std::function<void(const std::string& service_key)> listener);

  const std::map<std::string, ServiceModel, std::less<>>& services() const { return models_; }
  const ServiceModel* find(std::string_view service_key) const;
  // Null when it has none.
  const SliceModels* slices_of(std::string_view service_key) const;
  bool has_namespace(std::string_view namespace_name) const;
  // The Service whose cluster address it is; null when it is nobody's.
  const ServiceModel* by_cluster_ip(std::string_view address) const;
  // Keys of the Services that have the address as endpoint.
  std::vector<std::string> by_endpoint(std::string_view address) const;

 private:
  void on_service(const api::StoredObject& before, const api::StoredObject& after);
  void on_slice(const api::StoredObject& before, const api::StoredObject& after);
  void count_addresses(const SliceModel& slice, int by);
  void notify(const std::string& service_key);

  client::Informer& services_;
  client::Informer& slices_;
  std::map<std::string, ServiceModel, std::less<>> models_;
  std::map<std::string, SliceModels, std::less<>> slice_models_;  // by Service
  std::map<std::string, std::string, std::less<>> service_of_slice_;
  std::map<std::string, std::string, std::less<>> cluster_ips_;  // to the Service's key
  std::map<std::string, std::map<std::string, int>, std::less<>> endpoint_uses_;
  std::vector<std::function<void(const std::string&)>> listeners_;
};

}  // namespace skiff::agent
