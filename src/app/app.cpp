#include <skiff/app/app.h>

namespace skiff::app {

int run(int, char**) { return 2; }

}  // namespace skiff::app
