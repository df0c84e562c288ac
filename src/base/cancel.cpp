#include <skiff/base/cancel.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace skiff::base {

namespace detail {

struct CancelState {
  std::mutex mutex;
  std::condition_variable callback_done;
  std::atomic<bool> cancelled = false;
  std::uint64_t next_id = 1;
  std::map<std::uint64_t, UniqueFunction<void()>> callbacks;  // under mutex
  std::uint64_t running_id = 0;                               // under mutex; 0 = none
  std::thread::id running_thread;                             // under mutex
  CancelCallback parent;  // of child_of; set before the state is shared
};

}  // namespace detail

bool CancelToken::is_cancelled() const noexcept {
  return state_ && state_->cancelled.load(std::memory_order_acquire);
}

CancelSource::CancelSource() : state_(std::make_shared<detail::CancelState>()) {}

CancelToken CancelSource::token() const { return CancelToken(state_); }

bool CancelSource::is_cancelled() const noexcept {
  return state_->cancelled.load(std::memory_order_acquire);
}

void CancelSource::cancel() const {
  auto state = state_;
  std::unique_lock lock(state->mutex);
  if (state->cancelled.exchange(true)) return;
  state->running_thread = std::this_thread::get_id();
  while (!state->callbacks.empty()) {
    auto node = state->callbacks.extract(state->callbacks.begin());
    state->running_id = node.key();
    lock.unlock();
    node.mapped()();
    node.mapped() = nullptr;
    lock.lock();
    state->running_id = 0;
    state->callback_done.notify_all();
  }
}

CancelSource CancelSource::child_of(const CancelToken& parent) {
  CancelSource child;
  std::weak_ptr<detail::CancelState> weak = child.state_;
  child.state_->parent = CancelCallback(parent, [weak] {
    if (auto state = weak.lock()) {
      CancelSource source;
      source.state_ = std::move(state);
      source.cancel();
    }
  });
  return child;
}

CancelCallback::CancelCallback(const CancelToken& token, UniqueFunction<void()> function) {
  if (!token.state_) return;
  {
    std::lock_guard lock(token.state_->mutex);
    if (!token.state_->cancelled.load()) {
      state_ = token.state_;
      id_ = state_->next_id++;
      state_->callbacks.emplace(id_, std::move(function));
      return;
    }
  }
  function();
}

CancelCallback::CancelCallback(CancelCallback&& other) noexcept
    : state_(std::move(other.state_)), id_(std::exchange(other.id_, 0)) {}

CancelCallback& CancelCallback::operator=(CancelCallback&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

CancelCallback::~CancelCallback() { reset(); }

void CancelCallback::reset() {
  if (!state_) return;
  auto state = std::move(state_);
  UniqueFunction<void()> dropped;  // destroyed after the lock is released
  std::unique_lock lock(state->mutex);
  if (auto node = state->callbacks.extract(id_)) {
    dropped = std::move(node.mapped());
    return;
  }
  if (state->running_id == id_ && state->running_thread != std::this_thread::get_id())
    state->callback_done.wait(lock, [&] { return state->running_id != id_; });
}

}  // namespace skiff::base
