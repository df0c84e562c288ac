// A queue that holds no memory while it is empty. std::deque keeps half a kilobyte then, which is
// much for one of several queues of an idle connection.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace skiff::base {

// Thread-compatible.
template <class T>
class LeanQueue {
 public:
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size() - first_; }
  // In the queue's order. They are valid until the queue changes.
  T& front() { return items_[first_]; }
  const T& front() const { return items_[first_]; }
  const T& operator[](std::size_t at) const { return items_[first_ + at]; }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return items_.end(); }

  void push_back(T item) {
    if (items_.capacity() == 0) items_.reserve(kFirstCapacity);
    items_.push_back(std::move(item));
  }
  void pop_front() {
    items_[first_] = T();
    ++first_;
    if (first_ == items_.size()) {
      clear();
    } else if (first_ >= kGapMax && first_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
  }
  void clear() {
    std::vector<T>().swap(items_);
    first_ = 0;
  }

 private:
  static constexpr std::size_t kFirstCapacity = 4, kGapMax = 32;
  std::vector<T> items_;
  std::size_t first_ = 0;  // items before it are gone
};

}  // namespace skiff::base
