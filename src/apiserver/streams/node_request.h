// What logs, exec, attach, port-forward and proxy have in common: the pod, its node, the container.
#pragma once

#include <skiff/client/node_channel.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

struct PodTarget {
  codec::Json pod;
  std::string node;       // empty: not scheduled yet
  std::string container;  // empty where none was asked for
};

// The pod of the request. `container` is chosen or checked as upstream does. Errors: 400, 404.
api::Outcome<PodTarget> find_pod(const RequestContext& context, bool wants_container);

// Opens the stream to the pod's node. Errors: 400, 404, 503 with the node's sentence.
base::Task<api::Outcome<std::unique_ptr<client::NodeStream>>> open_node_stream(
    RequestContext& context, PodTarget target, client::NodeRequest::Kind kind, codec::Json options);

// WebSocket or SPDY, as the request asks. Errors: 400 when it asks for neither.
api::Outcome<http::Upgrade::Transport> wanted_upgrade(const http::Request& request);

}  // namespace skiff::apiserver
