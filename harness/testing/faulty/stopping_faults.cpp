// Loops that run, stop or run again wrongly, in one way each.
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "harness/testing/own_turn.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/current.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope::testing::stopping_faults {
namespace {

using namespace std::chrono_literals;

class StopForgotten final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run.pre_stopped"};
  static constexpr Names kKeeps[] = {"life.run_until_complete.nested", "timer.never_early",
                                     "life.close.running_rejected"};
  Result<void> run_forever() override {
    stopping_ = false;
    return SelectorLoop::run_forever();
  }
};

/// Stops between two callbacks; the rest of the batch waits for the next run.
class StopsAtOnce final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"life.stop.batch_finishes"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.never_early",
                                     "life.run_until_complete.*"};

 protected:
  void run_batch() override {
    const bool stopped_before = stopping_;
    const std::uint64_t end = ready_.tail();
    while (ready_.head() < end && (stopped_before || !stopping_)) run_ready(ready_.head() + 1);
  }
};

/// Goes on after stop() until the timers of the next second are through.
class StopWaitsForTimers final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run_until_complete.stopped_early"};
  static constexpr Names kKeeps[] = {"life.stop.batch_finishes", "sched.soon.fifo", "future.*"};
  Result<void> run_forever() override {
    Result<void> ran = SelectorLoop::run_forever();
    while (ran.ok() && timers_.next_deadline().value_or(TimePoint::max()) < now() + 1s) {
      stopping_ = true;
      ran = SelectorLoop::run_forever();
    }
    return ran;
  }
};

class StopKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.restart.after_stop"};
  static constexpr Names kKeeps[] = {"life.stop.batch_finishes", "sched.soon.fifo",
                                     "timer.order.by_deadline"};
  Result<void> run_forever() override {
    const Result<void> ran = SelectorLoop::run_forever();
    stopping_ = true;
    return ran;
  }
};

class ExitSwallowed final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"life.baseexception.escapes"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.batch_finishes", "err.handler.*"};

 protected:
  void run_batch() override {
    const std::uint64_t end = ready_.tail();
    while (ready_.head() < end) {
      try {
        run_ready(end);
      } catch (const ExitException&) {
        // That is the defect.
      }
    }
  }
};

class ExitDropsTheRest final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"life.baseexception.escapes"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.batch_finishes", "err.handler.*"};

 protected:
  void run_batch() override {
    try {
      run_ready();
    } catch (const ExitException&) {
      ready_.clear();
      throw;
    }
  }
};

class NestedRunAccepted final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run_until_complete.nested"};
  static constexpr Names kKeeps[] = {"life.stop.batch_finishes", "life.run.*", "sched.soon.*"};
  Result<void> run_forever() override {
    if (!is_running()) return SelectorLoop::run_forever();
    do {
      if (Result<void> turn = run_once(); !turn.ok()) return turn;
    } while (!stopping_);
    return {};
  }
};

class SecondLoopAccepted final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run.second_loop_same_thread"};
  static constexpr Names kKeeps[] = {"life.run_until_complete.*", "sched.soon.*"};
  Result<void> run_forever() override {
    if (is_running() || running_loop() == nullptr) return SelectorLoop::run_forever();
    const RunScope scope(*this);
    do {
      if (Result<void> turn = run_once(); !turn.ok()) return turn;
    } while (!std::exchange(stopping_, false));
    return {};
  }
};

/// Refuses to run inside another loop's callback, but has marked itself as running before.
class MarkerLeftBehind final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run.second_loop_same_thread"};
  static constexpr Names kKeeps[] = {"life.run_until_complete.*", "policy.thread_local_running"};
  Result<void> run_forever() override {
    const bool inside_another = running_loop() != nullptr && running_loop() != this;
    const Result<void> ran = SelectorLoop::run_forever();
    if (inside_another) marker_.emplace(this);
    return ran;
  }

 private:
  std::optional<RunningLoopScope> marker_;
};

class NoMarker final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.run_until_complete.outcome",
                                        "policy.thread_local_running", "policy.loop_in_worker",
                                        "task.starts_soon"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "future.*"};

 protected:
  Result<void> run_once() override {
    const RunningLoopScope none(nullptr);
    return SelectorLoop::run_once();
  }
};

class NeverSaysRunning final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.state.observed", "life.run_until_complete.nested"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "life.close.idempotent"};
  bool is_running() const override { return false; }
};

class TimersLostBetweenRuns final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.restart.after_stop"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.*", "timer.order.by_deadline"};
  Result<void> run_forever() override {
    const Result<void> ran = SelectorLoop::run_forever();
    if (!is_running()) timers_.clear();
    return ran;
  }
};

/// What a run watched, it forgets at its end.
class WatchesLostBetweenRuns final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.restart.after_stop",
                                        "shut.writes_flushed_or_reported"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "life.stop.*", "timer.*"};
  Result<void> watch(os::NativeSocket fd, Direction direction,
                     std::function<void()> ready) override {
    const Result<void> watched = SelectorLoop::watch(fd, direction, std::move(ready));
    if (watched.ok()) watched_.emplace(fd, direction);
    return watched;
  }
  Result<void> run_forever() override {
    const Result<void> ran = SelectorLoop::run_forever();
    if (is_running() || is_closed()) return ran;
    for (const auto& [fd, direction] : std::exchange(watched_, {})) unwatch(fd, direction);
    return ran;
  }

 private:
  std::set<std::pair<os::NativeSocket, Direction>> watched_;
};

/// Takes signals during a run alone; between two of them they are ignored.
class SignalsLostBetweenRuns final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.between_runs.signal_kept"};
  static constexpr Names kKeeps[] = {"life.run.*", "sched.soon.*", "wake.thread_signal"};
  Result<void> add_signal_handler(int signum, std::function<void()> callback) override {
    handlers_[signum] = callback;
    return SelectorLoop::add_signal_handler(signum, std::move(callback));
  }
  Result<void> run_forever() override {
    for (const auto& [signum, callback] : handlers_) {
      if (const Result<void> added = SelectorLoop::add_signal_handler(signum, callback);
          !added.ok()) {
        return added;
      }
    }
    const Result<void> ran = SelectorLoop::run_forever();
    for (const auto& [signum, callback] : handlers_) {
      (void)remove_signal_handler(signum);  // Ours since the beginning of the run.
      std::signal(signum, SIG_IGN);
    }
    return ran;
  }
  ~SignalsLostBetweenRuns() override {
    for (const auto& [signum, callback] : handlers_) std::signal(signum, SIG_DFL);
  }

 private:
  std::map<int, std::function<void()>> handlers_;
};

class BoundToOneThread final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"policy.move_between_threads"};
  static constexpr Names kKeeps[] = {"policy.loop_in_worker", "life.run.*", "sched.soon.*"};
  Result<void> run_forever() override {
    if (thread_ != 0 && thread_ != tools::thread_id()) {
      return make_error(Errc::wrong_thread, "run_forever");
    }
    thread_ = tools::thread_id();
    return SelectorLoop::run_forever();
  }

 private:
  long thread_ = 0;
};

/// Something of the first loop is kept for the process, and a forked child cannot use it.
class NoneAfterFork final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"policy.new_after_fork"};
  static constexpr Names kKeeps[] = {"policy.loop_in_worker", "life.run.*", "sched.soon.*"};
  Result<void> run_forever() override {
    static const long first_process = os::process_id();
    if (first_process != os::process_id()) return make_error(Errc::invalid_state, "run_forever");
    return SelectorLoop::run_forever();
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong<StopForgotten>("faulty.stop_forgotten", "A run clears the stop flag when it begins."),
    wrong<StopsAtOnce>("faulty.stops_at_once", "stop() breaks the batch off."),
    wrong<StopWaitsForTimers>("faulty.stop_waits_for_timers",
                              "A stopped run goes on while timers are due within a second."),
    wrong<StopKept>("faulty.stop_kept", "The stop flag stays set after a run."),
    wrong<ExitSwallowed>("faulty.exit_swallowed", "Exit exceptions do not leave run_forever()."),
    wrong<ExitDropsTheRest>("faulty.exit_drops_rest",
                            "An exit exception drops the callbacks behind it."),
    wrong<NestedRunAccepted>("faulty.nested_run_accepted", "A loop runs inside its own callback."),
    wrong<SecondLoopAccepted>("faulty.second_loop_accepted",
                              "A loop runs inside the callback of another one."),
    wrong<MarkerLeftBehind>("faulty.marker_left_behind",
                            "A refused run leaves its mark as the thread's running loop."),
    wrong<NoMarker>("faulty.no_marker", "Inside callbacks no loop is running."),
    wrong<NeverSaysRunning>("faulty.never_says_running", "is_running() is false during a run."),
    wrong<TimersLostBetweenRuns>("faulty.timers_lost_between_runs",
                                 "Timers that did not fire are forgotten when a run ends."),
    wrong<WatchesLostBetweenRuns>("faulty.watches_lost_between_runs",
                                  "Readers and writers are forgotten when a run ends."),
    wrong<SignalsLostBetweenRuns>("faulty.signals_lost_between_runs",
                                  "Signals between two runs are lost."),
    wrong<BoundToOneThread>("faulty.bound_to_one_thread",
                            "A loop only runs in the thread that ran it first."),
    wrong<NoneAfterFork>("faulty.none_after_fork", "No loop runs in a forked child."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::stopping_faults
