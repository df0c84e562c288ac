#include "controllers/endpoints/slice_writer.h"

#include <skiff/base/strings.h>

namespace skiff::controllers {

using base::Status;
using base::Task;
using client::resources::endpoint_slices;

bool SliceWriter::sees_own_writes(const std::string& key) {
  auto written = written_.find(key);
  if (written == written_.end()) return true;
  for (const auto& [slice, revision] : written->second) {
    api::StoredObject seen = slices_.get(slice);
    if (seen.empty() || seen.revision() < revision) {
      if (context_.timers.clock().monotonic() < give_up_at_[key]) return false;
    }
  }
  forget(key);
  return true;
}

void SliceWriter::forget(const std::string& key) {
  written_.erase(key);
  give_up_at_.erase(key);
}

std::vector<JsonPtr> SliceWriter::own_slices(const std::string& key,
                                             std::string_view manager) const {
  ObjectName service = split_key(key);
  std::vector<JsonPtr> own;
  for (const auto& object : slices_.list(service.namespace_name)) {
    if (service_key_of(object) != key) continue;  // without parsing those of others
    JsonPtr slice = context_.parsed.parse(object);
    if (api::label(*slice, kSliceManagedByLabel) == manager) own.push_back(slice);
  }
  return own;
}

void SliceWriter::remember(const std::string& key, const Json& slice) {
  auto revision = base::parse_int(api::resource_version_of(slice)).value_or(0);
  written_[key][api::object_key(slice)] = static_cast<std::uint64_t>(revision);
  give_up_at_[key] = context_.timers.clock().monotonic() + kOwnWritesTimeout;
  queue_.add_after(key, kOwnWritesTimeout + std::chrono::seconds(1));
}

Task<Status> SliceWriter::write(std::string key, std::shared_ptr<SlicePlan> plan) {
  std::string namespace_name = split_key(key).namespace_name;
  for (Json& slice : plan->create) {
    auto creating = context_.client.create(endpoint_slices, namespace_name, std::move(slice));
    auto created = co_await std::move(creating);
    if (!created.is_ok()) co_return created.status();
    remember(key, *created);
  }
  for (Json& slice : plan->update) {
    auto updating = context_.client.update(endpoint_slices, std::move(slice));
    auto updated = co_await std::move(updating);
    if (!updated.is_ok()) co_return updated.status();
    remember(key, *updated);
  }
  for (const JsonPtr& slice : plan->remove) {
    client::DeleteOptions options;
    options.uid = api::uid_of(*slice);
    auto removing = context_.client.remove(endpoint_slices, namespace_name,
                                           std::string(api::name_of(*slice)), options);
    Status removed = co_await std::move(removing);
    if (!removed.is_ok() && removed.code() != base::Code::not_found) co_return removed;
  }
  co_return Status::ok();
}

std::string service_key_of(const api::StoredObject& slice) {
  for (const auto& [key, value] : api::scan_string_map(slice.text(), {"metadata", "labels"}))
    if (key == kServiceNameLabel) return base::concat(slice.namespace_name(), '/', value);
  return {};
}

}  // namespace skiff::controllers
