// Takes join tokens away that nobody can use any more.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// Removes tokens a week and an hour after their end: so long a board that comes late hears why it
// is refused. Until cancelled.
base::Task<void> clean_join_tokens(Services& services, base::CancelToken cancel);

}  // namespace skiff::apiserver
