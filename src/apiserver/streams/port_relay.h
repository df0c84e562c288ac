// port-forward: each connection of the client gets a stream of its own to the node.
#pragma once

#include <skiff/client/node_channel.h>
#include <skiff/http/message.h>

#include <functional>
#include <memory>

namespace skiff::apiserver {

// Opens a stream to one port of the pod. Called on the session's executor.
using OpenPort = std::function<base::Task<base::Result<std::unique_ptr<client::NodeStream>>>(
    std::uint16_t port)>;

// Pairs of data and error streams, opened by the client with headers (streamType, port,
// requestID), until it closes.
base::Task<void> relay_ports(OpenPort open, http::ChannelSession& session);

}  // namespace skiff::apiserver
