#include <skiff/base/version.h>

#include "app/commands/command_list.h"

#include <cstdio>

namespace skiff::app {

int run_version(const Invocation& invocation) {
  std::string version(base::kGitVersion);
  if (invocation.json)
    std::printf("{\"gitVersion\":\"%s\"}\n", version.c_str());
  else
    std::printf("skiff %s\n", version.c_str());
  return 0;
}

}  // namespace skiff::app
