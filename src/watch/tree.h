// A copy-on-write B+tree from keys to values. Writers copy the path that they change; readers hold
// a root for as long as they like.
#pragma once

#include "watch/limits.h"

#include <skiff/base/function.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/store/store.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace skiff::watch {

// A reference to an object that counts its references itself (T::retain, T::release).
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(T* owned) noexcept : object_(owned) {}
  Ref(const Ref& other) noexcept : object_(other.object_) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }
  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

// One object: the key stands behind the struct, in the same allocation. Immutable.
class Item {
 public:
  static Ref<const Item> make(std::string_view key, base::SharedBytes value,
                              store::Revision revision);
  std::string_view key() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), key_bytes_};
  }
  const base::SharedBytes& value() const noexcept { return value_; }
  store::Revision revision() const noexcept { return revision_; }

  void retain() const noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept;

 private:
  Item(std::uint32_t key_bytes, base::SharedBytes value, store::Revision revision)
      : key_bytes_(key_bytes), value_(std::move(value)), revision_(revision) {}
  mutable std::atomic<std::uint32_t> references_ = 1;
  std::uint32_t key_bytes_;
  base::SharedBytes value_;
  store::Revision revision_;
};

// A leaf (level 0) owns items, a branch owns nodes. Only the edit that made a node changes it.
class Node {
 public:
  static Node* make(std::uint64_t edit, std::uint8_t level);
  static Node* copy_of(const Node& other, std::uint64_t edit);

  std::size_t items() const noexcept { return items_; }  // in the whole subtree
  void retain() const noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept;

 private:
  friend class TreeEdit;
  friend class TreeReader;
  Node(std::uint64_t edit, std::uint8_t level) : level_(level), edit_(edit) {}
  ~Node() = default;
  bool is_leaf() const noexcept { return level_ == 0; }
  // Children stand behind the struct; only a branch has them.
  Node* const* children() const noexcept { return reinterpret_cast<Node* const*>(this + 1); }
  Node** children() noexcept { return reinterpret_cast<Node**>(this + 1); }
  // Where `key` is, or would be inserted in a leaf; the child that covers it in a branch.
  std::size_t slot_of(std::string_view key) const noexcept;
  void retain_slot(std::size_t at) const noexcept;
  void open_slot(std::size_t at, const Item* first, Node* child) noexcept;
  void close_slot(std::size_t at) noexcept;
  void move_slots(Node& from, std::size_t begin, std::size_t end) noexcept;
  void recount() noexcept;

  mutable std::atomic<std::uint32_t> references_ = 1;
  std::uint8_t level_;
  std::uint8_t size_ = 0;
  std::uint32_t items_ = 0;
  std::uint64_t edit_;
  // A leaf's items, owned; below a branch the smallest item of every child, not owned.
  std::array<const Item*, kNodeSlotsMax> firsts_;
};

using Root = Ref<const Node>;  // empty: no items

// Reads one root. Immutable.
class TreeReader {
 public:
  explicit TreeReader(const Node* root) : root_(root) {}
  const Item* find(std::string_view key) const;
  // Visits items with `prefix` that are greater than `after` until `visit` returns false.
  void scan(std::string_view prefix, std::string_view after,
            base::UniqueFunction<bool(const Item&)>& visit) const;
  std::size_t count(std::string_view prefix) const;

 private:
  static bool scan_node(const Node& node, std::string_view prefix, std::string_view after,
                        base::UniqueFunction<bool(const Item&)>& visit);
  std::size_t rank(std::string_view key) const;  // items smaller than key
  const Node* root_;
};

// One batch of changes: nodes made in this batch are changed in place. `edit` is used once.
// Thread-compatible.
class TreeEdit {
 public:
  TreeEdit(Root root, std::uint64_t edit);
  ~TreeEdit();
  TreeEdit(const TreeEdit&) = delete;
  TreeEdit& operator=(const TreeEdit&) = delete;
  // Both return the item that was there, empty when none was.
  Ref<const Item> put(Ref<const Item> item);
  Ref<const Item> remove(std::string_view key);
  Root take();

 private:
  Node& own(Node*& slot) const;
  // Returns the new right neighbour of the slot's node when it had to be split.
  Node* put_into(Node*& slot, const Item* item, const Item** previous) const;
  Node* insert_slot(Node& node, std::size_t at, const Item* first, Node* child) const;
  void remove_from(Node*& slot, std::string_view key, const Item** removed) const;
  void merge_around(Node& parent, std::size_t at) const;

  Node* root_ = nullptr;  // owned
  std::uint64_t edit_;
};

}  // namespace skiff::watch
