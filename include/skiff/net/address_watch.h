// Hears from the kernel that addresses of this host came or went (rtnetlink(7),
// RTMGRP_IPV4_IFADDR).
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/loop/loop.h>

#include <functional>

namespace skiff::net {

// Awaits `on_change` a moment after changes, until cancelled: a DHCP client takes an address away
// before it gives another. What changes meanwhile makes one more call. Loop-only. Errors: the
// kernel's, when it does not tell.
base::Task<base::Status> watch_addresses(loop::Loop& loop,
                                         std::function<base::Task<void>()> on_change,
                                         base::CancelToken cancel);

}  // namespace skiff::net
