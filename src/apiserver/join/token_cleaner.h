// Takes join tokens away that nobody can use any more.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// Every hour removes the tokens that ended a week ago: so long a board that comes late hears why it
// is refused. Until cancelled.
base::Task<void> clean_join_tokens(Services& services, base::CancelToken cancel);

}  // namespace skiff::apiserver
