// Future<T>: a result that arrives later, on the loop it belongs to. Mirrors asyncio.Future.
#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loops/base/callback.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

class EventLoop;

namespace detail {
class GeneratorBase;
class TaskContext;
}

/// Outlives the loop, so that what refers to a loop can tell that it has gone.
struct LoopLink {
  EventLoop* loop;                       // null once the loop was destroyed
  detail::TaskContext* tasks = nullptr;  // the loop's unfinished tasks, newest first
  detail::GeneratorBase* generators = nullptr;  // begun and not ended, newest first
  bool generators_shut = false;                 // shutdown_asyncgens() was called
};

namespace detail {

class FutureStateBase;

/// What a task must offer to the awaitables inside it.
class TaskContext {
 public:
  /// Suspends the task until `state` is done, then resumes `point` through call_soon.
  virtual void wait_for(FutureStateBase& state, std::coroutine_handle<> point) = 0;
  /// True once per pending cancellation request that no future could take.
  virtual bool take_cancel() = 0;
  /// The loop closes: reports the task as pending, destroys its coroutine and forgets it.
  virtual void abandon() = 0;
  /// The task as the future that it is.
  virtual FutureStateBase& future() = 0;
  /// The next older unfinished task of the loop.
  TaskContext* next() const { return next_; }

 protected:
  ~TaskContext() = default;
  void enlist(LoopLink& link) {
    next_ = link.tasks;
    if (next_ != nullptr) next_->previous_ = this;
    link.tasks = this;
  }
  void delist(LoopLink& link) {
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : link.tasks) = next_;
    next_ = previous_ = nullptr;
  }

 private:
  TaskContext* next_ = nullptr;
  TaskContext* previous_ = nullptr;
};

class FutureStateBase {
 public:
  explicit FutureStateBase(std::shared_ptr<LoopLink> link) : link_(std::move(link)) {}
  FutureStateBase(const FutureStateBase&) = delete;
  FutureStateBase& operator=(const FutureStateBase&) = delete;

  void retain() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool done() const { return done_; }
  bool cancelled() const { return cancelled_; }
  const std::optional<Error>& error() const { return error_; }
  const std::exception_ptr& exception() const { return exception_; }
  EventLoop* loop() const { return link_ ? link_->loop : nullptr; }
  /// Asks for cancellation. true: the request was taken.
  virtual bool cancel();
  std::uint64_t add_done_callback(Callback callback);
  bool remove_done_callback(std::uint64_t id);
  /// Runs at once, inside cancel(), before the waiters are scheduled.
  void set_cancel_hook(Callback hook) { cancel_hook_ = std::move(hook); }
  void mark_retrieved() { retrieved_ = true; }
  /// Awaiting this future takes a turn of the loop, although it is done.
  void take_a_turn() { takes_a_turn_ = true; }
  bool resumes_at_once() const { return done_ && !takes_a_turn_; }
  /// Ends the future with a failure. false when it was done already.
  bool fail(Error error);
  bool fail(std::exception_ptr exception);

 protected:
  virtual ~FutureStateBase();
  /// Marks the future done and schedules its callbacks. The outcome is stored before.
  void finish();
  bool failed() const { return error_.has_value() || exception_ != nullptr; }

  std::shared_ptr<LoopLink> link_;
  std::optional<Error> error_;
  std::exception_ptr exception_;
  const char* kind_ = "Future";

 private:
  struct DoneCallback {
    std::uint64_t id;
    Callback callback;
  };
  std::atomic<int> refs_{0};
  bool done_ = false;
  bool cancelled_ = false;
  bool retrieved_ = false;
  bool takes_a_turn_ = false;
  std::uint64_t next_id_ = 1;
  std::vector<DoneCallback> callbacks_;
  Callback cancel_hook_;
};

template <class S>
class Ref {  // an intrusive pointer to a future's state
 public:
  Ref() = default;
  explicit Ref(S* state) : state_(state) {
    if (state_ != nullptr) state_->retain();
  }
  Ref(const Ref& other) : Ref(other.state_) {}
  Ref(Ref&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  template <class U>
  requires std::is_convertible_v<U*, S*> Ref(const Ref<U>& other)
      : Ref(static_cast<S*>(other.get())) {}  // NOLINT: implicit
  Ref& operator=(Ref other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Ref() {
    if (state_ != nullptr) state_->release();
  }
  S* get() const { return state_; }
  S* operator->() const { return state_; }
  S& operator*() const { return *state_; }
  explicit operator bool() const { return state_ != nullptr; }

 private:
  S* state_ = nullptr;
};

struct Unit {
  friend bool operator==(Unit, Unit) = default;
};
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, Unit, T>;

template <class T>
class FutureState : public FutureStateBase {
 public:
  using FutureStateBase::FutureStateBase;

  bool complete(Stored<T> value) {
    if (done()) return false;
    value_.emplace(std::move(value));
    finish();
    return true;
  }
  /// Copies the outcome; rethrows an exception. `move`: the only reader takes the value away.
  Result<T> outcome(bool move) {
    mark_retrieved();
    if (!done()) return make_error(Errc::invalid_state, "Future.result", "the future is pending");
    if (exception_) std::rethrow_exception(exception_);
    if (error_) return *error_;
    if constexpr (std::is_void_v<T>) {
      return {};
    } else if constexpr (std::is_copy_constructible_v<T>) {
      return move ? Result<T>(std::move(*value_)) : Result<T>(*value_);
    } else {
      return Result<T>(std::move(*value_));
    }
  }

 private:
  std::optional<Stored<T>> value_;
};

}  // namespace detail

template <class T>
class FutureAwaiter;

/// A shared handle to a result. Copies refer to the same future.
///
/// thread    The loop's thread; a copy may be destroyed on any.
/// lifetime  May outlive its loop: it then stays as it was.
/// errors    The failure of an operation is an Error inside result(); an exception that ended a
///           task is rethrown by result() and by co_await.
template <class T>
class [[nodiscard]] Future {
 public:
  using State = detail::FutureState<T>;
  Future() = default;
  explicit Future(detail::Ref<State> state) : state_(std::move(state)) {}
  /// A future that is done already. Without a link it belongs to no loop: callbacks never run.
  static Future ready(Result<T> outcome, std::shared_ptr<LoopLink> link = nullptr) {
    Future future{detail::Ref<State>(new State(std::move(link)))};
    if (!outcome.ok()) {
      future.state_->fail(outcome.error());
      future.state_->mark_retrieved();  // whoever made it has seen the error
    } else if constexpr (std::is_void_v<T>) {
      future.state_->complete({});
    } else {
      future.state_->complete(std::move(outcome).value());
    }
    return future;
  }

  bool valid() const { return static_cast<bool>(state_); }
  bool done() const { return state_->done(); }
  bool cancelled() const { return state_->cancelled(); }
  /// Asks for cancellation: the waiters get Errc::cancelled. false when done already.
  bool cancel() { return state_->cancel(); }
  /// The outcome; invalid_state while pending. A move-only value is handed out once.
  Result<T> result() const { return state_->outcome(false); }
  /// Always delivered through call_soon, also when the future is done already.
  std::uint64_t add_done_callback(Callback callback) {
    return state_->add_done_callback(std::move(callback));
  }
  bool remove_done_callback(std::uint64_t id) { return state_->remove_done_callback(id); }

  /// Each false when the future was done already.
  bool set_result(detail::Stored<T> value) { return state_->complete(std::move(value)); }
  bool set_result() requires std::is_void_v<T> { return state_->complete({}); }
  bool set_error(Error error) { return state_->fail(std::move(error)); }
  bool set_exception(std::exception_ptr exception) { return state_->fail(std::move(exception)); }
  /// Called at once by cancel(): detaches whatever would have completed the future.
  void set_cancel_hook(Callback hook) { state_->set_cancel_hook(std::move(hook)); }

  EventLoop* get_loop() const { return state_->loop(); }
  FutureAwaiter<T> operator co_await() const { return FutureAwaiter<T>(state_); }
  const detail::Ref<State>& state() const { return state_; }

 protected:
  detail::Ref<State> state_;
};

/// co_await future: yields Result<T>. Only inside a Coro that a Task drives.
template <class T>
class FutureAwaiter {
 public:
  explicit FutureAwaiter(detail::Ref<detail::FutureState<T>> state) : state_(std::move(state)) {}
  bool await_ready() const { return state_->resumes_at_once(); }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> point) {
    task_ = point.promise().task;
    task_->wait_for(*state_, point);
  }
  Result<T> await_resume() {
    if (task_ != nullptr && task_->take_cancel()) {
      return make_error(Errc::cancelled, "Task.cancel");
    }
    return state_->outcome(false);
  }

 private:
  detail::Ref<detail::FutureState<T>> state_;
  detail::TaskContext* task_ = nullptr;
};

/// co_await or_throw(future): yields T, or throws Failure with the Error inside.
template <class T>
class OrThrow {
 public:
  explicit OrThrow(const Future<T>& future) : awaiter_(future.state()) {}
  bool await_ready() const { return awaiter_.await_ready(); }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> point) {
    awaiter_.await_suspend(point);
  }
  T await_resume() {
    Result<T> result = awaiter_.await_resume();
    if (!result.ok()) throw Failure(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
  }

 private:
  FutureAwaiter<T> awaiter_;
};
template <class T>
OrThrow<T> or_throw(const Future<T>& future) {
  return OrThrow<T>(future);
}

}  // namespace loopscope
