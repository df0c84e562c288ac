#include "apiserver/filters/filters.h"
#include "apiserver/limits.h"

namespace skiff::apiserver {

namespace {

bool is_long_running(const RequestInfo& info) {
  if (!info.is_resource) return false;
  if (info.verb == "watch") return true;
  for (std::string_view name : {"log", "exec", "attach", "portforward", "proxy"}) {
    if (info.subresource == name) return true;
  }
  return false;
}

// The cluster's own parts and health checks go on when clients storm.
bool has_reserved_lane(const RequestContext& context) {
  if (!auth::node_name_of(context.user).empty()) return true;
  if (context.user.name.starts_with("system:") && context.user.in_group(auth::kMastersGroup)) {
    return true;
  }
  const auto& path = context.info.path;
  return path.starts_with("/readyz") || path.starts_with("/livez") || path.starts_with("/healthz");
}

}  // namespace

api::Outcome<FlowPermit> filter_flow_limit(RequestContext& context) {
  if (is_long_running(context.info) || has_reserved_lane(context)) return FlowPermit();
  const auto& verb = context.info.verb;
  const bool reads = verb == "get" || verb == "list" || verb == "head";
  auto& services = context.services;
  auto& lane = reads ? services.reads_in_flight : services.writes_in_flight;
  const int limit = reads ? kReadsInFlightMax : kWritesInFlightMax;
  if (lane.fetch_add(1, std::memory_order_relaxed) >= limit) {
    lane.fetch_sub(1, std::memory_order_relaxed);
    return api::too_many_requests_error("Too many requests, please try again later.", 1);
  }
  return FlowPermit(&lane);
}

}  // namespace skiff::apiserver
