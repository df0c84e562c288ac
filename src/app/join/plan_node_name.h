// The name of a worker that was given none. Pure.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>

namespace skiff::app {

struct HostIdentity {
  std::string hostname;
  std::string board_serial;  // burnt in, of this board alone; empty: the hardware has none
  std::string machine_id;    // of the installation: boards with copies of one image share it
};

// The host's name; with a short hash of the board or the installation behind it where the name is
// one that images come with, for these are the same on every board. Errors: invalid_argument.
base::Result<std::string> plan_node_name(const HostIdentity& host);

// What tells this board from one that its storage was copied to; empty where nothing does.
std::string board_fingerprint(const HostIdentity& host);

}  // namespace skiff::app
