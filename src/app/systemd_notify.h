// sd_notify(3) without libsystemd: one datagram to NOTIFY_SOCKET, where it is set.
#pragma once

#include <string_view>

namespace skiff::app {

// "READY=1", "STOPPING=1", … . Nothing happens without NOTIFY_SOCKET.
void notify_systemd(std::string_view state);

}  // namespace skiff::app
