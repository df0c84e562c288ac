// The program: flags, roles, start and stop order.
#pragma once

namespace skiff::app {

// Runs the command that the arguments name and returns the process's exit code: 0, 1 for a failure
// with one sentence on stderr, 2 for wrong usage.
int run(int argc, char** argv);

}  // namespace skiff::app
