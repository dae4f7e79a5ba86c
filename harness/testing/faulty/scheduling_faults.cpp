// Loops that queue, run or cancel callbacks wrongly, in one way each.
#include <memory>
#include <utility>
#include <vector>

#include "harness/testing/own_turn.hpp"

namespace loopscope::testing::scheduling_faults {
namespace {

class LifoSoon final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"sched.soon.fifo", "sched.soon.deferred",
                                        "task.await_is_inline", "task.take_turns",
                                        "future.all_waiters_resume"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.rounding_up", "life.close.*"};

 protected:
  void run_batch() override {
    std::vector<Callback> batch;
    while (!ready_.empty()) batch.push_back(ready_.pop());
    for (; !batch.empty(); batch.pop_back()) {
      if (batch.back()) run_callback(batch.back());
    }
  }
};

class InlineSoon final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sched.soon.deferred",
                                        "sched.nested_data",
                                        "future.callbacks_in_order",
                                        "future.callback_when_done",
                                        "future.first_outcome_counts",
                                        "future.all_waiters_resume",
                                        "future.cancelled",
                                        "future.exception_reaches_waiter",
                                        "task.starts_soon",
                                        "task.take_turns",
                                        "task.cancelled_while_waiting",
                                        "task.cancelled_before_start",
                                        "task.cancel_refused",
                                        "task.exception_kept",
                                        "life.run.pre_stopped"};
  static constexpr Names kKeeps[] = {"timer.*", "task.eager", "life.close.idempotent"};
  Handle call_soon(Callback callback) override {
    if (const std::optional<Errc> why = refuses()) return Handle(*why);
    run_callback(callback);
    return Handle(this, Handle::Kind::soon, ready_.tail() + 1'000'000'000);
  }
};

class SoonTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sched.soon.fifo", "sched.soon.cancel_pending",
                                        "life.stop.batch_finishes"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "life.close.idempotent"};
  Handle call_soon(Callback callback) override {
    return SelectorLoop::call_soon([twice = std::make_shared<Callback>(std::move(callback))] {
      (*twice)();
      (*twice)();
    });
  }
};

class LosesCallbacks final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"sched.soon.fifo"};
  static constexpr Names kKeeps[] = {"sched.soon.deferred", "life.run.*", "future.*"};
  Handle call_soon(Callback callback) override {
    if (++count_ % 1'000 == 0) callback = [] {};
    return SelectorLoop::call_soon(std::move(callback));
  }

 private:
  unsigned count_ = 0;
};

/// A batch has no end: what callbacks schedule runs before the next look at the system.
class DrainsTheQueue final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"life.stop.batch_finishes", "life.run.pre_stopped",
                                        "sched.soon.next_iteration"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "sched.soon.deferred", "timer.order.*"};

 protected:
  void run_batch() override {
    while (!ready_.empty()) run_ready();
  }
};

/// Whether a handle can still be cancelled is not looked up: the answer is always yes.
class CancelIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {
      "sched.soon.cancel_pending", "sched.soon.cancel_self_while_running",
      "sched.handle.cancel_late",  "timer.cancel.in_batch",
      "timer.cancel.storm",        "wake.cancel_from_thread"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "life.stop.*"};

 protected:
  bool cancel_handle(const Handle&) override { return true; }
};

class TimersBeforeIo final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"sched.order.io_vs_ready"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.never_early", "timer.order.*"};

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    expire_timers();
    return OwnTurn::poll(ready_.empty() ? timeout : Duration::zero());
  }
};

class FactoryIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"task.factory", "task.eager"};
  static constexpr Names kKeeps[] = {"task.starts_soon", "task.cancel*", "future.*"};
  TaskFactory get_task_factory() const override { return {}; }
};

constexpr FaultyLoop kLoops[] = {
    wrong<LifoSoon>("faulty.lifo_soon", "Callbacks of one batch run newest first."),
    wrong<InlineSoon>("faulty.inline_soon", "call_soon() runs the callback inside the call."),
    wrong<SoonTwice>("faulty.soon_twice", "Callbacks run twice."),
    wrong<LosesCallbacks>("faulty.loses_callbacks", "Each thousandth callback is lost."),
    wrong<DrainsTheQueue>("faulty.drains_queue",
                          "What callbacks schedule runs in the same iteration."),
    wrong<CancelIgnored>("faulty.cancel_ignored", "Cancelled callbacks run all the same."),
    wrong<TimersBeforeIo>("faulty.timers_before_io", "Due timers run before I/O is looked at."),
    wrong<FactoryIgnored>("faulty.task_factory_ignored", "The task factory is never asked."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::scheduling_faults
