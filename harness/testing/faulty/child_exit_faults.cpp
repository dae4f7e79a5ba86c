// Loops that watch, signal and collect their children wrongly, in one way each.
#include <csignal>
#include <map>

#include "harness/testing/own_turn.hpp"
#include "harness/tools/process_tools.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope::testing::child_exit_faults {
namespace {

/// An ExitWatcher around the real one, which passes everything on.
class WatcherBetween : public ExitWatcher {
 public:
  WatcherBetween(std::unique_ptr<ExitWatcher> inner, loopscope::Readiness& readiness)
      : inner_(std::move(inner)), loop_(readiness.event_loop()) {}
  Result<void> watch(int pid, Ended ended) override { return inner_->watch(pid, std::move(ended)); }
  Result<void> signal(int pid, int signum) override { return inner_->signal(pid, signum); }
  bool forget(int pid) override { return inner_->forget(pid); }

 protected:
  std::unique_ptr<ExitWatcher> inner_;
  EventLoop& loop_;
};

/// A poll loop that watches its children through a W.
template <class W>
class WatchesThrough final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr auto& kCaughtBy = W::kCaughtBy;
  static constexpr auto& kKeeps = W::kKeeps;

 protected:
  Result<std::unique_ptr<ExitWatcher>> exit_watcher(loopscope::Readiness& readiness) override {
    Result<std::unique_ptr<ExitWatcher>> inner = SelectorLoop::exit_watcher(readiness);
    if (!inner.ok()) return inner;
    return std::unique_ptr<ExitWatcher>(std::make_unique<W>(std::move(inner).value(), readiness));
  }
};

struct ShellCodes : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    return inner_->watch(pid, [ended](os::ChildEnd end) {
      if (end.code && *end.code < 0) end.code = 128 - *end.code;
      ended(end);
    });
  }
  static constexpr Names kCaughtBy[] = {"proc.exit_code", "proc.close_kills_running"};
  static constexpr Names kKeeps[] = {"proc.many_at_once", "proc.fast_exit"};
};

/// Of several children that end in one iteration only the first is told.
struct OneAtATime : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    return inner_->watch(pid, [this, ended](os::ChildEnd end) {
      if (std::exchange(busy_, true)) return;
      loop_.call_soon([this] { busy_ = false; });
      ended(end);
    });
  }
  static constexpr Names kCaughtBy[] = {"proc.many_at_once", "proc.thousand_short"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.stdin.large"};

 private:
  bool busy_ = false;
};

/// Begins to watch in the next iteration, and waits for the end that is to come.
struct WatchesLate : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    loop_.call_soon([this, pid, ended] {
      if (!tools::has_ended(pid)) (void)inner_->watch(pid, ended);
    });
    return {};
  }
  static constexpr Names kCaughtBy[] = {"proc.fast_exit"};
  static constexpr Names kKeeps[] = {"proc.stopped_not_exited", "proc.stdin.eof"};
};

struct KnownEndsOnly : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    return inner_->watch(pid, [ended](os::ChildEnd end) {
      if (end.code) ended(end);
    });
  }
  static constexpr Names kCaughtBy[] = {"proc.reaped_elsewhere", "proc.sigchld_ignored"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.foreign_children"};
};

struct CollectsAll : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    return inner_->watch(pid, [ended](os::ChildEnd end) {
      constexpr int kAnyChild = -1;
      while (os::collect(kAnyChild).value_or(os::ChildEnd{}).code) {
      }
      ended(end);
    });
  }
  static constexpr Names kCaughtBy[] = {"proc.foreign_children"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.fast_exit"};
};

/// As waitpid(WUNTRACED) without a look at what the status says.
struct StopIsEnd : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    ended_[pid] = ended;
    return inner_->watch(pid, std::move(ended));
  }
  Result<void> signal(int pid, int signum) override {
    const Result<void> sent = inner_->signal(pid, signum);
    if (signum == SIGSTOP) loop_.call_soon([ended = ended_[pid]] { ended({-SIGSTOP}); });
    return sent;
  }
  static constexpr Names kCaughtBy[] = {"proc.stopped_not_exited"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.close_kills_running"};

 private:
  std::map<int, Ended> ended_;
};

struct MainThreadOnly : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    if (tools::thread_id() != os::process_id()) return {};
    return inner_->watch(pid, std::move(ended));
  }
  static constexpr Names kCaughtBy[] = {"proc.non_main_thread"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.fast_exit"};
};

/// Whoever was sent SIGKILL must have died of it.
struct KillDecides : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    return inner_->watch(pid, [this, pid, ended](os::ChildEnd end) {
      if (killed_.erase(pid) != 0) end.code = -SIGKILL;
      ended(end);
    });
  }
  Result<void> signal(int pid, int signum) override {
    if (signum == SIGKILL) killed_[pid] = true;
    return inner_->signal(pid, signum);
  }
  static constexpr Names kCaughtBy[] = {"proc.kill_race"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.close_kills_running"};

 private:
  std::map<int, bool> killed_;
};

/// A signal in the first iterations of a child's life finds the parent's image and its handlers.
struct DeafAtFirst : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> watch(int pid, Ended ended) override {
    grow(pid, 30);
    return inner_->watch(pid, std::move(ended));
  }
  Result<void> signal(int pid, int signum) override {
    return young_.contains(pid) ? Result<void>() : inner_->signal(pid, signum);
  }
  static constexpr Names kCaughtBy[] = {"proc.exec_race_kill", "proc.cancel_spawn"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.stdin.large"};

 private:
  void grow(int pid, int iterations) {
    young_[pid] = iterations;
    loop_.call_soon([this, pid, iterations] {
      if (iterations > 0) {
        grow(pid, iterations - 1);
      } else {
        young_.erase(pid);
      }
    });
  }
  std::map<int, int> young_;
};

struct NeverKills : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  Result<void> signal(int pid, int signum) override {
    return signum == SIGKILL ? Result<void>() : inner_->signal(pid, signum);
  }
  static constexpr Names kCaughtBy[] = {"proc.close_kills_running"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.exec_race_kill"};
};

/// What ends with the loop is killed, and stays a zombie.
struct LeavesZombies : WatcherBetween {
  using WatcherBetween::WatcherBetween;
  bool forget(int pid) override {
    (void)inner_->forget(pid);
    return false;
  }
  static constexpr Names kCaughtBy[] = {"proc.loop_closed_first"};
  static constexpr Names kKeeps[] = {"proc.exit_code", "proc.close_kills_running"};
};

constexpr FaultyLoop kLoops[] = {
    wrong<WatchesThrough<ShellCodes>>("faulty.signal_as_128",
                                      "Death by a signal is reported as 128 and its number."),
    wrong<WatchesThrough<OneAtATime>>("faulty.one_exit_at_a_time",
                                      "Of children that end together only one is reported."),
    wrong<WatchesThrough<WatchesLate>>("faulty.watches_late",
                                       "A child that is quicker than its watcher is missed."),
    wrong<WatchesThrough<KnownEndsOnly>>("faulty.stolen_status_hangs",
                                         "A child that somebody else collected never ends."),
    wrong<WatchesThrough<CollectsAll>>("faulty.collects_all",
                                       "The status of every child of the process is collected."),
    wrong<WatchesThrough<StopIsEnd>>("faulty.stop_is_exit",
                                     "A stopped child is reported as ended."),
    wrong<WatchesThrough<MainThreadOnly>>("faulty.exits_in_main_thread",
                                          "Outside the main thread no exit is reported."),
    wrong<WatchesThrough<KillDecides>>("faulty.kill_decides",
                                       "Whoever was sent SIGKILL is reported to have died of it."),
    wrong<WatchesThrough<DeafAtFirst>>("faulty.deaf_at_first",
                                       "A signal that is sent to a new child is lost."),
    wrong<WatchesThrough<NeverKills>>("faulty.never_kills", "close() does not end the child."),
    wrong<WatchesThrough<LeavesZombies>>("faulty.zombie_after_close",
                                         "A child that ended with its loop is not collected."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::child_exit_faults
