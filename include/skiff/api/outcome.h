// A value, or the API error that the client gets instead.
#pragma once

#include <skiff/api/errors.h>
#include <skiff/base/assert.h>
#include <skiff/base/result.h>

#include <optional>
#include <utility>

namespace skiff::api {

struct Done {};  // the value of an operation that only succeeds or fails

// REQUIRES before value(): is_ok(); before error(): not is_ok().
template <class T = Done>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : value_(std::move(value)) {}
  Outcome(ApiError error) : error_(std::move(error)) {}

  bool is_ok() const noexcept { return value_.has_value(); }
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
  const ApiError& error() const {
    SKIFF_ASSERT(error_.has_value());
    return *error_;
  }

 private:
  std::optional<T> value_;
  std::optional<ApiError> error_;
};

}  // namespace skiff::api

// SKIFF_TRY(auto x, outcome): declares x, or returns the ApiError. SKIFF_CHECK: for Outcome<Done>.
#define SKIFF_TRY(declaration, expression) \
  SKIFF_TRY_INNER(SKIFF_CONCAT(skiff_outcome_, __LINE__), declaration, expression, return )
#define SKIFF_CO_TRY(declaration, expression) \
  SKIFF_TRY_INNER(SKIFF_CONCAT(skiff_outcome_, __LINE__), declaration, expression, co_return )
#define SKIFF_TRY_INNER(name, declaration, expression, leave) \
  auto name = (expression);                                   \
  if (!name.is_ok()) leave name.error();                      \
  declaration = std::move(name).value()
#define SKIFF_CHECK(expression)                                 \
  do {                                                          \
    auto skiff_outcome_ = (expression);                         \
    if (!skiff_outcome_.is_ok()) return skiff_outcome_.error(); \
  } while (0)
#define SKIFF_CO_CHECK(expression)                                 \
  do {                                                             \
    auto skiff_outcome_ = (expression);                            \
    if (!skiff_outcome_.is_ok()) co_return skiff_outcome_.error(); \
  } while (0)
