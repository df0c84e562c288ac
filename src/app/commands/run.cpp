#include <skiff/base/log.h>

#include "app/commands/command_list.h"
#include "app/node.h"

namespace skiff::app {

int run_node(const Invocation& invocation) {
  auto config = config_of(invocation);
  if (!config) return fail(config.status());
  base::set_log(config->log_level, config->log_format);
  auto ended = run_node_until_stopped(*config);
  return ended ? 0 : fail(ended);
}

}  // namespace skiff::app
