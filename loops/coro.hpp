// Coro<T>: a lazy coroutine. Awaiting it runs it inline, without a turn of the loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "loops/future.hpp"

namespace loopscope {

template <class T>
class Coro;

namespace detail {

/// Called when a coroutine object goes without ever having been awaited (debug mode reports it).
void coroutine_never_awaited() noexcept;

struct CoroPromiseBase {
  TaskContext* task = nullptr;           // the task that drives this coroutine
  std::coroutine_handle<> continuation;  // the coroutine that awaits it, if any
  std::exception_ptr exception;
  bool started = false;

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> point) noexcept {
      const std::coroutine_handle<> next = point.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct CoroPromise : CoroPromiseBase {
  std::optional<T> value;
  Coro<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};
template <>
struct CoroPromise<void> : CoroPromiseBase {
  Coro<void> get_return_object();
  void return_void() noexcept {}
  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

/// lifetime  Owns the coroutine's frame. Parameters that are references must outlive the task.
/// rules     architecture rules C1 to C5: name the operation first, await it on the next line; no
///           capturing lambda is a coroutine.
template <class T = void>
class [[nodiscard]] Coro {
 public:
  using promise_type = detail::CoroPromise<T>;
  using Point = std::coroutine_handle<promise_type>;
  explicit Coro(Point point) : point_(point) {}
  Coro(Coro&& other) noexcept : point_(std::exchange(other.point_, {})) {}
  Coro& operator=(Coro&& other) noexcept {
    std::swap(point_, other.point_);
    return *this;
  }
  ~Coro() {
    if (!point_) return;
    if (!point_.promise().started) detail::coroutine_never_awaited();
    point_.destroy();
  }

  Point point() const { return point_; }

  struct Awaiter {
    Point point;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      point.promise().task = awaiting.promise().task;
      point.promise().continuation = awaiting;
      point.promise().started = true;
      return point;
    }
    T await_resume() { return point.promise().take(); }
  };
  /// Once per coroutine.
  Awaiter operator co_await() const noexcept { return Awaiter{point_}; }

 private:
  Point point_;
};

namespace detail {
template <class T>
Coro<T> CoroPromise<T>::get_return_object() {
  return Coro<T>(std::coroutine_handle<CoroPromise<T>>::from_promise(*this));
}
inline Coro<void> CoroPromise<void>::get_return_object() {
  return Coro<void>(std::coroutine_handle<CoroPromise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace loopscope
