#include "registry/allocators/service_allocator.h"
#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

void prepare_service_create(Json& service) {
  service.set("status", Json::object({{"loadBalancer", Json::object()}}));
  normalize_service(service, Json());
}

void prepare_service_update(std::string_view subresource, Json& service, const Json& live) {
  if (subresource.empty()) normalize_service(service, live);
}

}  // namespace skiff::registry
