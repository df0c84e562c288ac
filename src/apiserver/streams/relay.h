// Frames between a client's session and a node's stream, both ways, until one side is done.
#pragma once

#include <skiff/client/node_channel.h>
#include <skiff/http/message.h>

#include <memory>

namespace skiff::apiserver {

// exec and attach: channels 0 to 4 are the same on both sides. Closes both when the node is done.
base::Task<void> relay_channels(std::shared_ptr<client::NodeStream> node,
                                http::ChannelSession& session);

}  // namespace skiff::apiserver
