#include "app/node_parts.h"

namespace skiff::app {

OpenedParts open_worker_node(const Config&, Threads&, FailureCallback) {
  return base::Status(base::Code::unimplemented, "role worker alone is not there yet");
}

}  // namespace skiff::app
