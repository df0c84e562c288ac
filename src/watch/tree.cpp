#include "watch/tree.h"

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace skiff::watch {

Ref<const Item> Item::make(std::string_view key, base::SharedBytes value,
                           store::Revision revision) {
  SKIFF_ASSERT(key.size() <= UINT32_MAX);
  void* memory = std::malloc(sizeof(Item) + key.size());
  SKIFF_ASSERT(memory != nullptr);
  auto* item =
      ::new (memory) Item(static_cast<std::uint32_t>(key.size()), std::move(value), revision);
  if (!key.empty()) std::memcpy(static_cast<void*>(item + 1), key.data(), key.size());
  return Ref<const Item>(item);
}

void Item::release() const noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  auto* self = const_cast<Item*>(this);
  self->~Item();
  std::free(self);
}

Node* Node::make(std::uint64_t edit, std::uint8_t level) {
  SKIFF_ASSERT(level < kTreeLevelsMax);
  std::size_t child_bytes = level == 0 ? 0 : kNodeSlotsMax * sizeof(Node*);
  void* memory = std::malloc(sizeof(Node) + child_bytes);
  SKIFF_ASSERT(memory != nullptr);
  return ::new (memory) Node(edit, level);
}

Node* Node::copy_of(const Node& other, std::uint64_t edit) {
  Node* copy = make(edit, other.level_);
  copy->size_ = other.size_;
  copy->items_ = other.items_;
  std::copy_n(other.firsts_.begin(), other.size_, copy->firsts_.begin());
  if (!other.is_leaf()) std::copy_n(other.children(), other.size_, copy->children());
  for (std::size_t i = 0; i < copy->size_; ++i) copy->retain_slot(i);
  return copy;
}

void Node::release() const noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (std::size_t i = 0; i < size_; ++i) {
    if (is_leaf()) {
      firsts_[i]->release();
    } else {
      children()[i]->release();
    }
  }
  auto* self = const_cast<Node*>(this);
  self->~Node();
  std::free(self);
}

std::size_t Node::slot_of(std::string_view key) const noexcept {
  auto begin = firsts_.begin();
  auto end = begin + size_;
  if (is_leaf()) {
    auto less = [](const Item* item, std::string_view k) { return item->key() < k; };
    return static_cast<std::size_t>(std::lower_bound(begin, end, key, less) - begin);
  }
  auto less = [](std::string_view k, const Item* item) { return k < item->key(); };
  auto above = std::upper_bound(begin, end, key, less);
  return above == begin ? 0 : static_cast<std::size_t>(above - begin) - 1;
}

void Node::retain_slot(std::size_t at) const noexcept {
  if (is_leaf()) {
    firsts_[at]->retain();
  } else {
    children()[at]->retain();
  }
}

void Node::open_slot(std::size_t at, const Item* first, Node* child) noexcept {
  SKIFF_ASSERT(size_ < kNodeSlotsMax && at <= size_);
  std::copy_backward(firsts_.begin() + at, firsts_.begin() + size_, firsts_.begin() + size_ + 1);
  firsts_[at] = first;
  if (!is_leaf()) {
    std::copy_backward(children() + at, children() + size_, children() + size_ + 1);
    children()[at] = child;
  }
  ++size_;
}

void Node::close_slot(std::size_t at) noexcept {
  SKIFF_ASSERT(at < size_);
  std::copy(firsts_.begin() + at + 1, firsts_.begin() + size_, firsts_.begin() + at);
  if (!is_leaf()) std::copy(children() + at + 1, children() + size_, children() + at);
  --size_;
}

// Takes over the slots [begin, end) of `from`, which are its last ones.
void Node::move_slots(Node& from, std::size_t begin, std::size_t end) noexcept {
  SKIFF_ASSERT(end == from.size_ && size_ + (end - begin) <= kNodeSlotsMax);
  std::copy(from.firsts_.begin() + begin, from.firsts_.begin() + end, firsts_.begin() + size_);
  if (!is_leaf()) std::copy(from.children() + begin, from.children() + end, children() + size_);
  size_ = static_cast<std::uint8_t>(size_ + (end - begin));
  from.size_ = static_cast<std::uint8_t>(begin);
}

void Node::recount() noexcept {
  items_ = 0;
  for (std::size_t i = 0; i < size_; ++i) items_ += is_leaf() ? 1 : children()[i]->items_;
}

const Item* TreeReader::find(std::string_view key) const {
  const Node* node = root_;
  if (node == nullptr) return nullptr;
  while (!node->is_leaf()) node = node->children()[node->slot_of(key)];
  std::size_t at = node->slot_of(key);
  if (at == node->size_ || node->firsts_[at]->key() != key) return nullptr;
  return node->firsts_[at];
}

void TreeReader::scan(std::string_view prefix, std::string_view after,
                      base::UniqueFunction<bool(const Item&)>& visit) const {
  if (root_ != nullptr) scan_node(*root_, prefix, after, visit);
}

bool TreeReader::scan_node(const Node& node, std::string_view prefix, std::string_view after,
                           base::UniqueFunction<bool(const Item&)>& visit) {
  std::string_view from = std::max(prefix, after);
  for (std::size_t i = node.slot_of(from); i < node.size_; ++i) {
    if (!node.is_leaf()) {
      if (!scan_node(*node.children()[i], prefix, after, visit)) return false;
      continue;
    }
    const Item& item = *node.firsts_[i];
    if (!after.empty() && item.key() <= after) continue;
    if (!base::starts_with(item.key(), prefix)) return false;
    if (!visit(item)) return false;
  }
  return true;
}

std::size_t TreeReader::rank(std::string_view key) const {
  std::size_t smaller = 0;
  const Node* node = root_;
  if (node == nullptr) return 0;
  while (!node->is_leaf()) {
    std::size_t at = node->slot_of(key);
    for (std::size_t i = 0; i < at; ++i) smaller += node->children()[i]->items_;
    node = node->children()[at];
  }
  return smaller + node->slot_of(key);
}

std::size_t TreeReader::count(std::string_view prefix) const {
  if (root_ == nullptr) return 0;
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return root_->items() - rank(prefix);
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return rank(end) - rank(prefix);
}

TreeEdit::TreeEdit(Root root, std::uint64_t edit) : edit_(edit) {
  if (!root) return;
  root->retain();
  root_ = const_cast<Node*>(root.get());  // only nodes of this edit are changed
}

TreeEdit::~TreeEdit() {
  if (root_ != nullptr) root_->release();
}

Node& TreeEdit::own(Node*& slot) const {
  if (slot->edit_ != edit_) {
    Node* copy = Node::copy_of(*slot, edit_);
    slot->release();
    slot = copy;
  }
  return *slot;
}

Ref<const Item> TreeEdit::put(Ref<const Item> item) {
  if (root_ == nullptr) root_ = Node::make(edit_, 0);
  const Item* previous = nullptr;
  item->retain();  // the leaf's reference
  Node* right = put_into(root_, item.get(), &previous);
  if (right != nullptr) {
    Node* above = Node::make(edit_, static_cast<std::uint8_t>(root_->level_ + 1));
    above->open_slot(0, root_->firsts_[0], root_);
    above->open_slot(1, right->firsts_[0], right);
    above->recount();
    root_ = above;
  }
  return Ref<const Item>(previous);
}

Node* TreeEdit::put_into(Node*& slot, const Item* item, const Item** previous) const {
  Node& node = own(slot);
  std::size_t at = node.slot_of(item->key());
  if (node.is_leaf()) {
    if (at < node.size_ && node.firsts_[at]->key() == item->key()) {
      *previous = std::exchange(node.firsts_[at], item);
      return nullptr;
    }
    return insert_slot(node, at, item, nullptr);
  }
  Node* right = put_into(node.children()[at], item, previous);
  node.firsts_[at] = node.children()[at]->firsts_[0];
  if (right != nullptr) return insert_slot(node, at + 1, right->firsts_[0], right);
  if (*previous == nullptr) ++node.items_;
  return nullptr;
}

Node* TreeEdit::insert_slot(Node& node, std::size_t at, const Item* first, Node* child) const {
  if (node.size_ < kNodeSlotsMax) {
    node.open_slot(at, first, child);
    node.recount();
    return nullptr;
  }
  Node* right = Node::make(edit_, node.level_);
  // Keys often arrive in order: a full node stays full then.
  std::size_t keep = at == node.size_ ? at : kNodeSlotsMax / 2;
  right->move_slots(node, keep, node.size_);
  if (at > keep || right->size_ == 0) {
    right->open_slot(at - keep, first, child);
  } else {
    node.open_slot(at, first, child);
  }
  node.recount();
  right->recount();
  return right;
}

Ref<const Item> TreeEdit::remove(std::string_view key) {
  if (TreeReader(root_).find(key) == nullptr) return {};
  const Item* removed = nullptr;
  remove_from(root_, key, &removed);
  while (root_ != nullptr && !root_->is_leaf() && root_->size_ == 1) {
    Node* child = root_->children()[0];
    child->retain();
    root_->release();
    root_ = child;
  }
  if (root_->size_ == 0) {
    root_->release();
    root_ = nullptr;
  }
  return Ref<const Item>(removed);
}

void TreeEdit::remove_from(Node*& slot, std::string_view key, const Item** removed) const {
  Node& node = own(slot);
  std::size_t at = node.slot_of(key);
  --node.items_;
  if (node.is_leaf()) {
    *removed = node.firsts_[at];
    node.close_slot(at);
    return;
  }
  remove_from(node.children()[at], key, removed);
  Node* child = node.children()[at];
  if (child->size_ == 0) {
    child->release();
    node.close_slot(at);
    return;
  }
  node.firsts_[at] = child->firsts_[0];
  if (child->size_ < kNodeSlotsLow) merge_around(node, at);
}

void TreeEdit::merge_around(Node& parent, std::size_t at) const {
  if (parent.size_ < 2) return;
  std::size_t left_at = at > 0 ? at - 1 : at;
  Node** children = parent.children();
  if (children[left_at]->size_ + children[left_at + 1]->size_ > int{kNodeSlotsMax}) return;
  Node& left = own(children[left_at]);
  Node& right = own(children[left_at + 1]);
  left.move_slots(right, 0, right.size_);
  left.recount();
  right.release();
  parent.close_slot(left_at + 1);
}

Root TreeEdit::take() { return Root(std::exchange(root_, nullptr)); }

}  // namespace skiff::watch
