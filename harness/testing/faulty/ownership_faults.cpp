// Loops that get wrong whose they are: of which thread, run, process; and what they have to end.
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "harness/testing/own_turn.hpp"
#include "harness/testing/wrapped_selector.hpp"
#include "harness/tools/inheritance.hpp"
#include "harness/tools/process_tools.hpp"
#include "loops/current.hpp"
#include "loops/os/process_id.hpp"
#include "loops/policy.hpp"

namespace loopscope::testing::ownership_faults {
namespace {

class MarkerLeft final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"policy.get_event_loop.error_when_none",
                                        "policy.get_event_loop.running_wins",
                                        "policy.custom",
                                        "policy.custom.never_null",
                                        "policy.null_restores_default",
                                        "runner.run"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "exec.result_and_error"};
  Result<void> run_forever() override {
    left_.reset();
    Result<void> ran = SelectorLoop::run_forever();
    left_.emplace(this);
    return ran;
  }

 private:
  std::optional<RunningLoopScope> left_;
};

class MarkerMissing final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"policy.get_event_loop.running_wins",
                                        "runner.nested_refused"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "exec.result_and_error"};

 protected:
  Result<void> run_once() override {
    const RunningLoopScope hidden(nullptr);
    return SelectorLoop::run_once();
  }
};

class RunUnsetsLoop final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"policy.get_event_loop.running_wins",
                                        "policy.set_event_loop.per_thread",
                                        "policy.set_event_loop.gone", "policy.fork_resets"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "policy.get_event_loop.error_when_none"};
  Result<void> run_forever() override {
    Result<void> ran = SelectorLoop::run_forever();
    (void)set_event_loop(nullptr);  // That is the defect.
    return ran;
  }
};

class RunsOnce final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"runner.several", "runner.close.cancels_tasks"};
  static constexpr Names kKeeps[] = {"runner.run", "policy.get_event_loop.error_when_none"};
  Result<void> run_forever() override {
    if (std::exchange(ran_, true)) return make_error(Errc::invalid_state, "run_forever");
    return SelectorLoop::run_forever();
  }

 private:
  bool ran_ = false;
};

class GeneratorsForgotten final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"asyncgen.shutdown_closes", "asyncgen.late_use_warned",
                                        "asyncgen.shutdown_while_running",
                                        "runner.close.ends_the_rest"};
  static constexpr Names kKeeps[] = {"asyncgen.yields_and_ends", "asyncgen.close_half_way"};
  Future<void> shutdown_asyncgens() override { return done_future<void>({}); }
};

class SecondTimerLost final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"asyncgen.yields_and_ends", "asyncgen.close_half_way"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "policy.custom"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    if (++timers_made_ == 2) delay = Delay(std::chrono::hours(1));
    return SelectorLoop::call_later(delay, std::move(callback));
  }

 private:
  int timers_made_ = 0;
};

class InterruptNotTaken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"runner.interrupt"};
  static constexpr Names kKeeps[] = {"runner.run", "runner.several"};
  Result<void> add_signal_handler(int signum, std::function<void()> callback) override {
    if (signum == SIGINT) return make_error(Errc::not_supported, "add_signal_handler");
    return SelectorLoop::add_signal_handler(signum, std::move(callback));
  }
};

class NotInAChild final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"fork.child_new_loop", "fork.continue_same_loop",
                                        "fork.daemonise"};
  static constexpr Names kKeeps[] = {"policy.fork_resets", "fork.exec_cloexec_all"};
  Result<void> run_forever() override {
    if (first_process_ != os::process_id()) return make_error(Errc::invalid_state, "run_forever");
    return SelectorLoop::run_forever();
  }

 private:
  /// That of the first of these loops: a child inherits the answer.
  static long first_process() {
    static const long pid = os::process_id();
    return pid;
  }

  long first_process_ = first_process();
};

/// Takes descriptors out of the set that it shares with its parent, one by one, and all at its end.
class SharedSetEmptied final : public WrappedSelector {
 public:
  using WrappedSelector::WrappedSelector;
  ~SharedSetEmptied() override {
    for (const auto& [fd, interest] : interests_) tools::epoll_remove(descriptor(), fd);
  }
  Result<void> remove(os::NativeSocket fd) override {
    tools::epoll_remove(descriptor(), fd);
    return WrappedSelector::remove(fd);
  }
};

/// Ends every process that it has started, whoever closes it.
class EndsProcessesOfTheParent final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"fork.child_closes_parent_loop.processes"};
  static constexpr Names kKeeps[] = {"fork.child_closes_parent_loop", "proc.loop_closed_first"};
  Future<ProcessLink> subprocess_exec(ProcessFactory factory, ProcessOptions options) override {
    started_.push_back(SelectorLoop::subprocess_exec(std::move(factory), std::move(options)));
    return started_.back();
  }
  Result<void> close() override {
    for (const Future<ProcessLink>& each : started_) {
      if (each.done() && each.result().ok()) (void)each.result()->transport->kill();
    }
    started_.clear();
    return SelectorLoop::close();
  }

 private:
  std::vector<Future<ProcessLink>> started_;
};

class PassesThroughExec final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"fork.exec_cloexec_all"};
  static constexpr Names kKeeps[] = {"fork.child_new_loop", "sched.soon.fifo"};
  static Result<std::unique_ptr<EventLoop>> make(const LoopOptions& options) {
    Result<std::unique_ptr<EventLoop>> loop = make_poll_based<PassesThroughExec>(options);
    if (!loop.ok()) return loop;
    for (const os::NativeSocket fd : (*loop)->backend().internal_descriptors) {
      tools::make_inheritable(fd);
    }
    return loop;
  }
};

class WarnsNobody final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"dbg.never_awaited", "asyncgen.late_use_warned"};
  static constexpr Names kKeeps[] = {"err.handler.default_text", "sched.soon.fifo"};
  void log(LogLevel level, std::string_view text) override {
    if (level != LogLevel::warning) SelectorLoop::log(level, text);
  }
};

class CauseUnsaid final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"err.handler.default_text"};
  static constexpr Names kKeeps[] = {"err.handler.custom", "sched.soon.fifo"};
  void default_exception_handler(const ExceptionContext& context) override {
    log(LogLevel::error, context.message);
  }
};

constexpr Names kShared[] = {"fork.child_closes_parent_loop",
                             "fork.child_closes_parent_loop.running", "uring.fork"};
constexpr Names kSharedKeeps[] = {"fork.child_new_loop", "sched.soon.fifo"};

constexpr FaultyLoop kLoops[] = {
    wrong<MarkerLeft>("faulty.running_marker_left",
                      "A loop still counts as running after its run."),
    wrong<MarkerMissing>("faulty.running_marker_missing", "A loop does not count as running."),
    wrong<RunUnsetsLoop>("faulty.run_unsets_loop",
                         "A run leaves the thread without the loop that was set for it."),
    wrong<RunsOnce>("faulty.runs_once", "A loop cannot run a second time."),
    wrong<GeneratorsForgotten>("faulty.generators_forgotten", "shutdown_asyncgens() does nothing."),
    wrong<SecondTimerLost>("faulty.second_timer_lost", "The second timer of a loop is lost."),
    wrong<InterruptNotTaken>("faulty.interrupt_not_taken", "SIGINT cannot be handled."),
    wrong<NotInAChild>("faulty.not_in_a_child", "No loop runs in a forked child."),
    {.loop = epoll_wrapped<SharedSetEmptied>("faulty.shared_set_emptied"),
     .defect = "A forked child takes descriptors out of the epoll set of its parent.",
     .must_fail = kShared,
     .must_pass = kSharedKeeps},
    wrong<EndsProcessesOfTheParent>("faulty.processes_of_the_parent_ended",
                                    "A forked child that closes a loop ends its processes."),
    wrong<PassesThroughExec>("faulty.passes_through_exec",
                             "The loop's descriptors stay open in new programs.",
                             PassesThroughExec::make),
    wrong<WarnsNobody>("faulty.warns_nobody", "Warnings are not logged."),
    wrong<CauseUnsaid>("faulty.cause_unsaid",
                       "The default handler says that something failed, and not what."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::ownership_faults
