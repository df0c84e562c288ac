// Asking running work to end. A CancelSource asks, CancelTokens are asked.
#pragma once

#include <skiff/base/function.h>

#include <cstdint>
#include <memory>

namespace skiff::base {

namespace detail {
struct CancelState;
}

// Thread-safe, cheap to copy. A default token is never cancelled.
class CancelToken {
 public:
  CancelToken() noexcept = default;
  bool is_cancelled() const noexcept;

 private:
  friend class CancelSource;
  friend class CancelCallback;
  explicit CancelToken(std::shared_ptr<detail::CancelState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::CancelState> state_;
};

// Thread-safe. Destroying the source does not cancel.
class CancelSource {
 public:
  CancelSource();
  CancelToken token() const;
  // Runs every registered callback once, on this thread, before it returns. Idempotent.
  void cancel() const;
  bool is_cancelled() const noexcept;
  // A source that is also cancelled when `parent` is.
  static CancelSource child_of(const CancelToken& parent);

 private:
  std::shared_ptr<detail::CancelState> state_;
};

// Runs `function` when the token is cancelled, at once if it already is. After the destructor
// returned the function does not run any more, nor is it still running on another thread.
class CancelCallback {
 public:
  CancelCallback() noexcept = default;
  CancelCallback(const CancelToken& token, UniqueFunction<void()> function);
  CancelCallback(CancelCallback&& other) noexcept;
  CancelCallback& operator=(CancelCallback&& other) noexcept;
  ~CancelCallback();
  void reset();

 private:
  std::shared_ptr<detail::CancelState> state_;
  std::uint64_t id_ = 0;
};

}  // namespace skiff::base
