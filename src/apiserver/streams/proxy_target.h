// The pod and port, or the node, behind a proxy request.
#pragma once

#include <cstdint>
#include <string>

#include "apiserver/streams/node_request.h"

namespace skiff::apiserver {

struct ProxyTarget {
  client::NodeRequest::Kind kind = client::NodeRequest::Kind::proxy;
  PodTarget pod;       // of a request to a node: its name alone
  std::string scheme;  // "http" or "https"
  std::uint16_t port = 0;
};

// The named pod, one ready pod of the named service, or the named node, which has the one port of
// a kubelet. Errors: 400, 404, and 503 when the service has no port or no endpoint of that name.
api::Outcome<ProxyTarget> find_proxy_target(const RequestContext& context);

}  // namespace skiff::apiserver
