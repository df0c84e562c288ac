// What a default role or binding that exists already needs. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <string_view>

namespace skiff::apiserver {

// Whether the stored text has every member of `wanted` as it is. Without a tree, because at a start
// that is so for all of them; false means "look closer".
bool is_reconciled(std::string_view text, const codec::Json& wanted);

struct Reconciled {
  enum class Action : unsigned char { nothing, update, recreate };
  Action action = Action::nothing;
  codec::Json object;  // what to write
};
// What is missing is added, nothing is taken away. An object with the annotation autoupdate
// "false" is its owner's business.
Reconciled plan_reconcile_role(const codec::Json& found, const codec::Json& wanted);
// Another role in roleRef needs another binding.
Reconciled plan_reconcile_binding(const codec::Json& found, const codec::Json& wanted);

}  // namespace skiff::apiserver
