// One frame to a client's session.
#pragma once

#include <skiff/http/message.h>

#include <string>

namespace skiff::apiserver {

// False when the session is gone; what it lacks then nobody reads.
base::Task<bool> send_frame(http::ChannelSession& session, http::ChannelFrame::Kind kind,
                            std::uint32_t channel, std::string data);

}  // namespace skiff::apiserver
