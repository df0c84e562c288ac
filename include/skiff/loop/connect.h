// A connection of a non-blocking socket, without holding a thread.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/loop/loop.h>

#include <sys/socket.h>

namespace skiff::loop {

// Returns 0 when `fd` is connected to the address, ECANCELED when cancelled before, or the errno of
// the failure. A peer on this host has answered before the call returns: the loop is not asked
// then. REQUIRES: the caller keeps `fd`, a non-blocking stream socket, open until then. Loop-only.
base::Task<int> connect_fd(Loop& loop, int fd, sockaddr_storage address, socklen_t address_bytes,
                           base::CancelToken cancel);

}  // namespace skiff::loop
