// client::Client over the connection of an uplink.
#pragma once

#include <skiff/client/client.h>

#include "client/uplink/master_link.h"
#include "client/uplink/watch_set.h"

#include <memory>

namespace skiff::client {

std::unique_ptr<Client> make_uplink_client(std::shared_ptr<MasterLink> link,
                                           std::shared_ptr<WatchSet> watches);

}  // namespace skiff::client
