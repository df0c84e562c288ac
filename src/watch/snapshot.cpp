#include "watch/snapshot.h"

namespace skiff::watch {

Snapshot::Snapshot(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}

Revision Snapshot::revision() const { return tree_->revision(); }

std::optional<Entry> Snapshot::get(std::string_view key) const {
  const Item* item = TreeReader(tree_->root().get()).find(key);
  if (item == nullptr) return std::nullopt;
  return Entry{item->key(), item->value(), item->revision()};
}

void Snapshot::scan(std::string_view prefix, std::string_view after,
                    base::UniqueFunction<bool(const Entry&)> visit) const {
  base::UniqueFunction<bool(const Item&)> visit_item = [&visit](const Item& item) {
    return visit(Entry{item.key(), item.value(), item.revision()});
  };
  TreeReader(tree_->root().get()).scan(prefix, after, visit_item);
}

std::size_t Snapshot::count(std::string_view prefix) const {
  return TreeReader(tree_->root().get()).count(prefix);
}

}  // namespace skiff::watch
