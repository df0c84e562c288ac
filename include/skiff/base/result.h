// A value or the Status that says why there is none.
#pragma once

#include <skiff/base/assert.h>
#include <skiff/base/status.h>

#include <optional>
#include <utility>

namespace skiff::base {

// REQUIRES before value(): is_ok(). REQUIRES at construction from a Status: it is not ok.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) { SKIFF_ASSERT(!status_.is_ok()); }
  Result(Code code, std::string message) : status_(code, std::move(message)) {}

  bool is_ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return is_ok(); }

  const Status& status() const noexcept { return status_; }
  Code code() const noexcept { return status_.code(); }

  T& value() & {
    SKIFF_ASSERT(value_.has_value());
    return *value_;
  }
  const T& value() const& {
    SKIFF_ASSERT(value_.has_value());
    return *value_;
  }
  T&& value() && {
    SKIFF_ASSERT(value_.has_value());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T value_or(T fallback) && { return value_ ? std::move(*value_) : std::move(fallback); }

  Result with_context(std::string_view context) && {
    if (is_ok()) return std::move(*this);
    return Result(status_.with_context(context));
  }

 private:
  Status status_;
  std::optional<T> value_;
};

inline const Status& status_of(const Status& status) { return status; }
template <class T>
const Status& status_of(const Result<T>& result) {
  return result.status();
}

}  // namespace skiff::base

#define SKIFF_CONCAT_INNER(a, b) a##b
#define SKIFF_CONCAT(a, b) SKIFF_CONCAT_INNER(a, b)

// Evaluates a Status or Result expression; returns its Status from the function when it is not ok.
#define SKIFF_RETURN_IF_ERROR(expression)                            \
  do {                                                               \
    if (auto&& skiff_status_ = (expression); !skiff_status_.is_ok()) \
      return ::skiff::base::status_of(skiff_status_);                \
  } while (0)

// SKIFF_ASSIGN_OR_RETURN(auto file, open(path)); declares `file` or returns the Status.
#define SKIFF_ASSIGN_OR_RETURN(declaration, expression) \
  SKIFF_ASSIGN_OR_RETURN_INNER(SKIFF_CONCAT(skiff_result_, __LINE__), declaration, expression)
#define SKIFF_ASSIGN_OR_RETURN_INNER(name, declaration, expression) \
  auto name = (expression);                                         \
  if (!name.is_ok()) return name.status();                          \
  declaration = std::move(name).value()

// The same two inside a coroutine; the expression may contain co_await.
#define SKIFF_CO_RETURN_IF_ERROR(expression)                                       \
  do {                                                                             \
    auto skiff_status_ = (expression);                                             \
    if (!skiff_status_.is_ok()) co_return ::skiff::base::status_of(skiff_status_); \
  } while (0)
#define SKIFF_CO_ASSIGN_OR_RETURN(declaration, expression) \
  SKIFF_CO_ASSIGN_OR_RETURN_INNER(SKIFF_CONCAT(skiff_result_, __LINE__), declaration, expression)
#define SKIFF_CO_ASSIGN_OR_RETURN_INNER(name, declaration, expression) \
  auto name = (expression);                                            \
  if (!name.is_ok()) co_return name.status();                          \
  declaration = std::move(name).value()
