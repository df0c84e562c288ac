// A coroutine that starts at once on the calling thread and destroys itself at its end. The caller
// makes sure that what it uses outlives it.
#pragma once

#include <coroutine>
#include <exception>

namespace skiff::http {

struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

}  // namespace skiff::http
