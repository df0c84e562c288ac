#include "app/node_parts.h"

namespace skiff::app {

OpenedParts open_worker_node(const Config&, Threads&, FailureCallback) {
  return base::Status(
      base::Code::unimplemented,
      "role worker alone is not there yet: this version runs a master, with or without "
      "a worker beside it; leave --role away or give --role master");
}

}  // namespace skiff::app
