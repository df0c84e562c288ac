#include "store/group.h"

#include "store/expected.h"

#include <algorithm>

namespace skiff::store {

base::Result<GroupKey*> Group::key_of(const std::string& key) {
  auto at = keys_.find(key);
  if (at != keys_.end()) return &at->second;
  GroupKey fresh;
  SKIFF_ASSIGN_OR_RETURN(fresh.state, below_.state_of(key));
  // A relaxed write that was answered is not taken back by a weaker one.
  if (below_.is_relaxed_pending(key)) fresh.durability = Durability::relaxed;
  return &keys_.emplace(key, std::move(fresh)).first->second;
}

base::Result<Revision> Group::add(const Write& write) {
  SKIFF_ASSIGN_OR_RETURN(GroupKey * key, key_of(write.key));
  KeyState& state = key->state;
  auto current = state.present ? std::optional(state.revision) : std::nullopt;
  SKIFF_RETURN_IF_ERROR(check_expected(write, current));
  Event event;
  event.key = write.key;
  if (write.op == Write::Op::put) {
    event.value = write.value;
  } else {
    event.type = Event::Type::remove;
    event.value = state.value;
    if (event.value.empty() && state.on_disk) {
      SKIFF_ASSIGN_OR_RETURN(event.value, below_.value_of(write.key));
    }
  }
  event.revision = ++revision_;
  state.present = write.op == Write::Op::put;
  state.revision = event.revision;
  state.value = event.value;
  key->durability = std::min(key->durability, write.durability);
  events_.push_back(std::move(event));
  return revision_;
}

std::string_view kind_prefix_of(std::string_view key) {
  std::size_t at = 0;
  for (int slashes = 0; at < key.size(); ++at)
    if (key[at] == '/' && ++slashes == 3) return key.substr(0, at + 1);
  return key;
}

}  // namespace skiff::store
