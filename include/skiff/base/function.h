// A callable that is moved, never copied, and may own move-only state. 32 bytes of it are kept
// inline. Thread-compatible.
#pragma once

#include <skiff/base/assert.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace skiff::base {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}

  template <class F, class D = std::decay_t<F>,
            class = std::enable_if_t<!std::is_same_v<D, UniqueFunction> &&
                                     std::is_invocable_r_v<R, D&, Args...>>>
  UniqueFunction(F&& function) {
    if constexpr (fits_inline<D>) {
      ::new (static_cast<void*>(storage_)) D(std::forward<F>(function));
      table_ = &inline_table<D>;
    } else {
      ::new (static_cast<void*>(storage_))(D*)(new D(std::forward<F>(function)));
      table_ = &heap_table<D>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return table_ != nullptr; }

  // REQUIRES: not empty.
  R operator()(Args... args) {
    SKIFF_ASSERT(table_ != nullptr);
    return table_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t kInlineBytes = 32;
  struct Table {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };
  template <class D>
  static constexpr bool fits_inline =
      sizeof(D) <= kInlineBytes &&
      alignof(D) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<D>;
  template <class D>
  static constexpr Table inline_table = {
      [](void* self, Args&&... args) -> R {
        return (*static_cast<D*>(self))(std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept {
        ::new (to) D(std::move(*static_cast<D*>(from)));
        static_cast<D*>(from)->~D();
      },
      [](void* self) noexcept { static_cast<D*>(self)->~D(); }};
  template <class D>
  static constexpr Table heap_table = {
      [](void* self, Args&&... args) -> R {
        return (**static_cast<D**>(self))(std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept { ::new (to)(D*)(*static_cast<D**>(from)); },
      [](void* self) noexcept { delete *static_cast<D**>(self); }};

  void take(UniqueFunction& other) noexcept {
    table_ = other.table_;
    if (table_ != nullptr) table_->move(other.storage_, storage_);
    other.table_ = nullptr;
  }
  void reset() noexcept {
    if (table_ != nullptr) table_->destroy(storage_);
    table_ = nullptr;
  }

  alignas(std::max_align_t) unsigned char storage_[kInlineBytes];
  const Table* table_ = nullptr;
};

}  // namespace skiff::base
