// Result<T>: a value or an Error. The std::expected of a C++20 code base.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "loops/base/error.hpp"

namespace loopscope {

namespace detail {
/// Ends the process: a Result was read on the side that it does not hold. Our own bug.
[[noreturn]] void bad_result_access(const Error* error);
}  // namespace detail

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  template <class U = T>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, Error> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}            // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }
  /// Precondition: ok(). Otherwise throws Failure with the error, so that a check can report it.
  T& value() & {
    if (!ok()) throw Failure(error());
    return std::get<0>(state_);
  }
  const T& value() const& {
    if (!ok()) throw Failure(error());
    return std::get<0>(state_);
  }
  T&& value() && {
    if (!ok()) throw Failure(error());
    return std::move(std::get<0>(state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  /// Precondition: not ok(); ends the process otherwise.
  const Error& error() const {
    if (ok()) detail::bad_result_access(nullptr);
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  explicit operator bool() const { return error_.index() == 0; }
  bool ok() const { return error_.index() == 0; }
  void value() const {
    if (!ok()) throw Failure(error());
  }
  const Error& error() const {
    if (ok()) detail::bad_result_access(nullptr);
    return std::get<1>(error_);
  }

 private:
  std::variant<std::monostate, Error> error_;
};

}  // namespace loopscope
