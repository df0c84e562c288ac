#include <skiff/agent/proxy.h>

#include "agent/proxy/service_table.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

namespace skiff::agent {

namespace {

std::string key_of(const api::StoredObject& object) {
  return base::concat(object.namespace_name(), "/", object.name());
}

// Stored text is ours; what cannot be read counts as absent, and is named.
codec::Json parse_or_null(const api::StoredObject& object) {
  if (object.empty()) return {};
  auto parsed = object.parse();
  if (parsed) return std::move(*parsed);
  base::log_error("an object cannot be read",
                  {{"key", key_of(object)}, {"error", parsed.status()}});
  return {};
}

}  // namespace

ServiceTable::ServiceTable(client::Informer& services, client::Informer& endpoint_slices)
    : services_(services), slices_(endpoint_slices) {
  services_.add_handler(
      [this](const auto& before, const auto& after) { on_service(before, after); });
  slices_.add_handler([this](const auto& before, const auto& after) { on_slice(before, after); });
}

base::Task<bool> ServiceTable::wait_synced(base::CancelToken cancel) {
  bool services = co_await services_.wait_synced(cancel);
  if (!services) co_return false;
  co_return co_await slices_.wait_synced(cancel);
}

void ServiceTable::add_listener(std::function<void(const std::string&)> listener) {
  listeners_.push_back(std::move(listener));
}

void ServiceTable::notify(const std::string& service_key) {
  for (const auto& listener : listeners_) listener(service_key);
}

void ServiceTable::on_service(const api::StoredObject& before, const api::StoredObject& after) {
  std::string key = key_of(after.empty() ? before : after);
  if (auto old = models_.find(key); old != models_.end()) {
    auto ip = cluster_ips_.find(old->second.cluster_ip);
    if (ip != cluster_ips_.end() && ip->second == key) cluster_ips_.erase(ip);
    models_.erase(old);
  }
  if (auto model = read_service(parse_or_null(after))) {
    if (!model->cluster_ip.empty()) cluster_ips_[model->cluster_ip] = key;
    models_.emplace(key, std::move(*model));
  }
  notify(key);
}

void ServiceTable::on_slice(const api::StoredObject& before, const api::StoredObject& after) {
  std::string slice_key = key_of(after.empty() ? before : after);
  std::string old_service;
  if (auto known = service_of_slice_.find(slice_key); known != service_of_slice_.end()) {
    old_service = known->second;
    auto slices = slice_models_.find(old_service);
    auto slice = slices->second.find(slice_key);
    count_addresses(slice->second, -1);
    slices->second.erase(slice);
    if (slices->second.empty()) slice_models_.erase(slices);
    service_of_slice_.erase(known);
  }
  std::string new_service;
  if (auto model = read_slice(parse_or_null(after))) {
    new_service = model->service_key;
    service_of_slice_[slice_key] = new_service;
    count_addresses(*model, 1);
    slice_models_[new_service].insert_or_assign(slice_key, std::move(*model));
  }
  if (!old_service.empty() && old_service != new_service) notify(old_service);
  if (!new_service.empty()) notify(new_service);
}

void ServiceTable::count_addresses(const SliceModel& slice, int by) {
  for (const EndpointModel& endpoint : slice.endpoints) {
    auto& uses = endpoint_uses_[endpoint.address];
    int& count = uses[slice.service_key];
    count += by;
    if (count == 0) uses.erase(slice.service_key);
    if (uses.empty()) endpoint_uses_.erase(endpoint.address);
  }
}

const ServiceModel* ServiceTable::find(std::string_view service_key) const {
  auto found = models_.find(service_key);
  return found == models_.end() ? nullptr : &found->second;
}

const SliceModels* ServiceTable::slices_of(std::string_view service_key) const {
  auto found = slice_models_.find(service_key);
  return found == slice_models_.end() ? nullptr : &found->second;
}

bool ServiceTable::has_namespace(std::string_view namespace_name) const {
  std::string prefix = base::concat(namespace_name, "/");
  auto first = models_.lower_bound(prefix);
  return first != models_.end() && base::starts_with(first->first, prefix);
}

const ServiceModel* ServiceTable::by_cluster_ip(std::string_view address) const {
  auto found = cluster_ips_.find(address);
  return found == cluster_ips_.end() ? nullptr : find(found->second);
}

std::vector<std::string> ServiceTable::by_endpoint(std::string_view address) const {
  std::vector<std::string> keys;
  auto found = endpoint_uses_.find(address);
  if (found == endpoint_uses_.end()) return keys;
  for (const auto& use : found->second) keys.push_back(use.first);
  return keys;
}

std::unique_ptr<ServiceView> make_service_view(client::Informer& services,
                                               client::Informer& endpoint_slices) {
  return std::make_unique<ServiceTable>(services, endpoint_slices);
}

}  // namespace skiff::agent
