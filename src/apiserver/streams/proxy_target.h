// The pod and port behind a proxy request.
#pragma once

#include <cstdint>
#include <string>

#include "apiserver/streams/node_request.h"

namespace skiff::apiserver {

struct ProxyTarget {
  PodTarget pod;
  std::string scheme;  // "http" or "https"
  std::uint16_t port = 0;
};

// The named pod, or one ready pod of the named service. Errors: 400, 404, and 503 when the service
// has no port or no endpoint of that name.
api::Outcome<ProxyTarget> find_proxy_target(const RequestContext& context);

}  // namespace skiff::apiserver
