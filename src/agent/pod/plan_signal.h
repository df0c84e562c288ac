// Signals by their names in images and specs. Pure.
#pragma once

#include <string_view>

namespace skiff::agent {

// "SIGTERM", "term", "15", "SIGRTMIN+3", "SIGRTMAX-1"; SIGTERM for what is none.
int plan_signal(std::string_view name);

}  // namespace skiff::agent
