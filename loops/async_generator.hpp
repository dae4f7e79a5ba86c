// AsyncGenerator<T>: a coroutine that yields values and may await between them.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "loops/future.hpp"

namespace loopscope {

template <class T>
class AsyncGenerator;

namespace detail {

/// A generator as its loop sees it, from its first step to its end.
class GeneratorBase {
 public:
  GeneratorBase(const GeneratorBase&) = delete;
  GeneratorBase& operator=(const GeneratorBase&) = delete;

  /// Ends it where it stands: the destructors of its locals run now. Does nothing to one that has
  /// ended. errors  invalid_state while a step is under way.
  Result<void> close();
  /// No longer the loop's to close.
  void delist();

 protected:
  GeneratorBase() = default;
  ~GeneratorBase() { delist(); }
  /// Before each step: refuses while another is under way; the first one enlists with the loop
  /// that runs.
  Result<void> begin_step();
  virtual bool ended() const = 0;
  virtual void destroy_frame() = 0;

  bool stepping_ = false;

 private:
  std::shared_ptr<LoopLink> link_;  // set while enlisted
  GeneratorBase* next_ = nullptr;
  GeneratorBase* previous_ = nullptr;
  bool begun_ = false;
};

template <class T>
struct GeneratorPromise {
  TaskContext* task = nullptr;       // the task whose step this is
  std::coroutine_handle<> consumer;  // set once it waits: whoever resumes us last, resumes it
  std::optional<T> value;
  std::exception_ptr exception;

  AsyncGenerator<T> get_return_object();
  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Handover {
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<GeneratorPromise> point) noexcept {
      const std::coroutine_handle<> consumer = std::exchange(point.promise().consumer, {});
      return consumer ? consumer : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Handover final_suspend() noexcept { return {}; }
  template <class U>
  Handover yield_value(U&& next) {
    value.emplace(std::forward<U>(next));
    return {};
  }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

}  // namespace detail

/// lifetime  Owns the coroutine's frame. Destroying it half-way runs the destructors of its locals;
///           it must not be destroyed while a step of it is under way, unless with the task that
///           awaits that step. Parameters that are references must outlive it.
/// thread    The loop's.
/// rules     those of Coro: `auto step = generator.next();` first, `co_await step` second.
/// source    PEP 525; asyncio.loop.shutdown_asyncgens
template <class T>
class [[nodiscard]] AsyncGenerator {
  class State;

 public:
  using promise_type = detail::GeneratorPromise<T>;
  using Point = std::coroutine_handle<promise_type>;
  explicit AsyncGenerator(Point point) : state_(std::make_unique<State>(point)) {}

  /// One step, to be awaited once, before the next one is made.
  class Step {
   public:
    explicit Step(State& state) : state_(&state) {}
    bool await_ready() {
      begun_ = state_->begin();
      return !begun_.ok() || state_->ended();
    }
    /// Runs the generator inline up to its next co_yield or its first real wait. false: it got to
    /// a co_yield or the end, and the consumer goes on without having been suspended, so that a
    /// million values that are there already need no deeper stack than one.
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> consumer) {
      return state_->step(consumer, consumer.promise().task);
    }
    /// The next value; nullopt at the end, and ever after. Rethrows what ended the generator.
    /// errors  invalid_state while another step is under way.
    Result<std::optional<T>> await_resume() {
      if (!begun_.ok()) return begun_.error();
      return state_->take();
    }

   private:
    State* state_;
    Result<void> begun_;
  };
  Step next() { return Step(*state_); }

  /// Ends the generator where it stands: the destructors of its locals run now.
  /// errors  invalid_state while a step is under way.
  Result<void> aclose() { return state_->close(); }

 private:
  class State final : public detail::GeneratorBase {
   public:
    explicit State(Point point) : point_(point) {}
    ~State() { destroy_frame(); }
    Result<void> begin() { return begin_step(); }
    bool ended() const override { return !point_ || point_.done(); }
    bool step(std::coroutine_handle<> consumer, detail::TaskContext* task) {
      promise_type& promise = point_.promise();
      promise.task = task;
      promise.value.reset();
      point_.resume();
      if (point_.done() || promise.value) return false;
      promise.consumer = consumer;
      return true;
    }
    Result<std::optional<T>> take() {
      stepping_ = false;
      if (!point_) return std::optional<T>();
      promise_type& promise = point_.promise();
      if (!point_.done()) return std::exchange(promise.value, std::nullopt);
      delist();
      if (promise.exception) {
        std::rethrow_exception(std::exchange(promise.exception, nullptr));
      }
      return std::optional<T>();
    }

   private:
    void destroy_frame() override {
      if (const Point gone = std::exchange(point_, {})) gone.destroy();
    }
    Point point_;
  };

  std::unique_ptr<State> state_;
};

namespace detail {
template <class T>
AsyncGenerator<T> GeneratorPromise<T>::get_return_object() {
  return AsyncGenerator<T>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
}
}  // namespace detail

}  // namespace loopscope
