#include "app/commands/command_list.h"
#include "app/credentials/service_account_keys.h"

#include <cstdio>

namespace skiff::app {

int run_rotate_service_account(const Invocation& invocation) {
  auto config = config_of(invocation);
  if (!config) return fail(config.status());
  auto rotated = rotate_service_account_key(config->data_dir + "/pki");
  if (!rotated) return fail(rotated.status());
  std::printf("tokens of service accounts are signed with key %s; tokens of %zu older %s go on\n",
              rotated->id.c_str(), rotated->older_keys, rotated->older_keys == 1 ? "key" : "keys");
  return 0;
}

}  // namespace skiff::app
