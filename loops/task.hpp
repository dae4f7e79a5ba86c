// Task<T>: a Future that drives a Coro through call_soon. Mirrors asyncio.Task.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "loops/activity.hpp"
#include "loops/coro.hpp"
#include "loops/future.hpp"

namespace loopscope {

class EventLoop;

/// What a task factory may decide about a task before it starts.
struct TaskOptions {
  std::string name;    // for messages
  bool eager = false;  // run the first step at once, inside create_task
};

namespace detail {

/// Calls back through call_soon; refuses (closed loop) like call_soon does.
bool schedule(EventLoop* loop, Callback callback);
/// "Task was destroyed but it is pending!", to the loop's exception handler.
void report_pending_task(EventLoop* loop, const std::string& name) noexcept;

template <class T>
class TaskState final : public FutureState<T>, public TaskContext {
 public:
  TaskState(std::shared_ptr<LoopLink> link, Coro<T> work, TaskOptions options)
      : FutureState<T>(std::move(link)), work_(std::move(work)), options_(std::move(options)) {
    this->kind_ = "Task";
    work_->point().promise().task = this;
    work_->point().promise().started = true;  // the task owns the duty to run it
    resume_point_ = work_->point();
  }

  void start() {
    if (this->link_ != nullptr) {
      owner_ = this->link_;
      self_ = Ref<TaskState>(this);
      this->enlist(*owner_);
    }
    if (options_.eager) {
      step();
    } else {
      wake_soon();
    }
  }
  bool cancel() override {
    if (this->done()) return false;
    if (waiting_on_ && waiting_on_->cancel()) return true;
    must_cancel_ = true;
    return true;
  }
  bool take_cancel() override { return std::exchange(must_cancel_, false); }
  void wait_for(FutureStateBase& state, std::coroutine_handle<> point) override {
    resume_point_ = point;
    // Nobody could ever wake a task that waits for itself, and the callbacks of another loop's
    // future run on that loop's thread. The await ends with the error of a pending future.
    const bool foreign = state.loop() != nullptr && state.loop() != this->loop();
    if (!state.done() && (&state == this || foreign)) {
      wake_soon();
      return;
    }
    waiting_on_ = Ref<FutureStateBase>(&state);
    state.add_done_callback([self = Ref<TaskState>(this)] { self->step(); });
    if (must_cancel_ && state.cancel()) must_cancel_ = false;
  }
  void abandon() override {
    const Ref<TaskState> keep(this);
    report_pending_task(this->loop(), options_.name);
    retire();
    waiting_on_ = {};
    const Coro<T> dropped = std::move(*work_);  // its locals are destroyed here
    work_.reset();
  }
  FutureStateBase& future() override { return *this; }
  const TaskOptions& options() const { return options_; }

 private:
  void wake_soon() {
    schedule(this->loop(), [self = Ref<TaskState>(this)] { self->step(); });
  }
  void step() {
    const Ref<TaskState> keep(this);
    const Activity activity([this] { return task_text(options_.name); });
    if (this->done() || !work_) {  // abandoned, or ended from outside
      retire();
      return;
    }
    waiting_on_ = {};
    if (!begun_ && take_cancel()) {
      this->fail(make_error(Errc::cancelled, "Task.cancel"));
      retire();
      return;
    }
    begun_ = true;
    resume_point_.resume();
    if (work_->point().done()) settle();
  }
  /// The loop need not keep this task any longer.
  void retire() {
    if (!owner_) return;
    const Ref<TaskState> keep = std::move(self_);
    this->delist(*owner_);
    owner_ = nullptr;
  }
  void settle() {
    retire();
    auto& promise = work_->point().promise();
    if (promise.exception) {
      settle_exception(promise.exception);
    } else if (take_cancel()) {  // asked for in the last step: no await could deliver it
      this->fail(make_error(Errc::cancelled, "Task.cancel"));
    } else if constexpr (std::is_void_v<T>) {
      this->complete({});
    } else {
      this->complete(std::move(*promise.value));
    }
  }
  void settle_exception(const std::exception_ptr& exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const Failure& failure) {
      if (failure.error().is(Errc::cancelled)) {
        this->fail(failure.error());
      } else {
        this->fail(exception);
      }
    } catch (const ExitException&) {
      this->fail(exception);
      this->mark_retrieved();  // Whoever runs the loop gets it now.
      throw;
    } catch (...) {
      this->fail(exception);
    }
  }

  std::optional<Coro<T>> work_;      // empty once abandoned
  std::shared_ptr<LoopLink> owner_;  // set while the loop keeps this task
  Ref<TaskState> self_;
  TaskOptions options_;
  std::coroutine_handle<> resume_point_;
  Ref<FutureStateBase> waiting_on_;
  bool must_cancel_ = false;
  bool begun_ = false;
};

}  // namespace detail

/// The loop keeps an unfinished task alive, with or without a handle to it. A task that is still
/// pending when its loop closes is reported to the exception handler and its coroutine destroyed;
/// its future then stays pending. (asyncio keeps tasks weakly and leaves that to its collector.)
template <class T>
class [[nodiscard]] Task : public Future<T> {
 public:
  Task() = default;
  explicit Task(detail::Ref<detail::TaskState<T>> state) : Future<T>(state) {}
};

}  // namespace loopscope
