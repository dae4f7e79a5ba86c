// Loops that handle signals wrongly, in one way each.
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <map>

#include "harness/testing/poll_based.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope::testing::signal_faults {
namespace {

using Action = std::function<void()>;
std::size_t index_of(int signum) { return static_cast<std::size_t>(signum); }

class CallsTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    return SelectorLoop::add_signal_handler(signum, [action] { action(), action(); });
  }
};

/// Runs the callback where the signal interrupted: inside the signal handler.
class InsideTheHandler final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    const Result<void> added = SelectorLoop::add_signal_handler(signum, [] {});
    if (!added.ok()) return added;
    actions[index_of(signum)] = std::move(action);
    tools::append_handler(signum, [](int number) { actions[index_of(number)](); });
    return {};
  }
  ~InsideTheHandler() override { actions.fill(nullptr); }

 private:
  static inline std::array<Action, os::kMaxSignal> actions;
};

/// As a program does that does not want to be stopped: what a background job is told to do is lost.
class IgnoresTerminalSignals final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  Result<void> run_once() override {
    struct Deaf {
      void (*before)(int) = std::signal(SIGTTIN, SIG_IGN);
      ~Deaf() { (void)std::signal(SIGTTIN, before); }
    } const deaf;
    return SelectorLoop::run_once();
  }
};

/// The call that a signal interrupted is made again: in the background of a terminal, for ever.
class RestartsCalls final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    const Result<void> added = SelectorLoop::add_signal_handler(signum, std::move(action));
    if (added.ok()) tools::restart_calls_after(signum);
    return added;
  }
};

/// Of several signals that arrived since the last look, only the first is passed on.
class OneAtATime final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    return SelectorLoop::add_signal_handler(signum, [this, action] {
      if (std::exchange(busy_, true)) return;
      call_soon([this] { busy_ = false; });
      action();
    });
  }

 private:
  bool busy_ = false;
};

/// Each signal takes a place in a channel of 278, and is forgotten when there is none.
class SmallChannel final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    const Result<void> added = SelectorLoop::add_signal_handler(signum, [this, signum, action] {
      call_soon([] { taken = 0; });
      if (std::exchange(arrived[index_of(signum)], 0) != 0) action();
    });
    if (added.ok()) tools::append_handler(signum, take_place);
    return added;
  }

 private:
  static void take_place(int signum) {
    taken = taken + 1;
    if (taken <= 278) arrived[index_of(signum)] = 1;
  }
  static inline volatile std::sig_atomic_t taken = 0;
  static inline std::array<std::sig_atomic_t, os::kMaxSignal> arrived{};
};

class ErrnoTrampled final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    const Result<void> added = SelectorLoop::add_signal_handler(signum, std::move(action));
    if (added.ok()) tools::append_handler(signum, [](int) { errno = EAGAIN; });
    return added;
  }
};

class NotRestored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<bool> remove_signal_handler(int signum) override {
    const Result<bool> removed = SelectorLoop::remove_signal_handler(signum);
    if (removed.ok() && *removed) std::signal(signum, SIG_IGN);
    return removed;
  }
};

/// Blocks another signal as well, for as long as the loop lives.
class LeavesBlocked final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    if (!blocked_) blocked_ = std::make_unique<tools::Blocked>(SIGHUP);
    return SelectorLoop::add_signal_handler(signum, std::move(action));
  }

 private:
  std::unique_ptr<tools::Blocked> blocked_;
};

class AcceptsAnything final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    (void)SelectorLoop::add_signal_handler(signum, std::move(action));
    return {};
  }
};

class MainThreadOnlyInSecret final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    if (tools::thread_id() != os::process_id()) return {};
    return SelectorLoop::add_signal_handler(signum, std::move(action));
  }
};

/// The second loop that asks for a signal takes it from the first without a word.
class TakesFromOthers final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  ~TakesFromOthers() override {
    std::erase_if(owners, [this](const auto& entry) { return entry.second == this; });
  }
  Result<void> add_signal_handler(int signum, Action action) override {
    TakesFromOthers*& owner = owners[signum];
    if (owner != nullptr && owner != this && !owner->is_closed()) {
      (void)owner->SelectorLoop::remove_signal_handler(signum);
    }
    owner = this;
    return SelectorLoop::add_signal_handler(signum, std::move(action));
  }

 private:
  static inline std::map<int, TakesFromOthers*> owners;
};

/// close() resets whatever the loop ever handled, also what is somebody else's by now.
class ResetsOnClose final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    handled_.push_back(signum);
    return SelectorLoop::add_signal_handler(signum, std::move(action));
  }
  Result<void> close() override {
    const Result<void> closed = SelectorLoop::close();
    for (const int signum : handled_) std::signal(signum, SIG_DFL);
    return closed;
  }

 private:
  std::vector<int> handled_;
};

class CollectsChildren final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    if (signum != SIGCHLD) return SelectorLoop::add_signal_handler(signum, std::move(action));
    return SelectorLoop::add_signal_handler(signum, [action] {
      constexpr long kAnyChild = -1;
      (void)tools::wait_for_child(kAnyChild);
      action();
    });
  }
};

/// What arrived before the removal is still called after it.
class FiresAfterRemoval final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    actions_[signum] = action;
    const Result<void> added = SelectorLoop::add_signal_handler(signum, [signum, action] {
      raised[index_of(signum)] = 0;
      action();
    });
    if (added.ok()) {
      tools::append_handler(signum, [](int number) { raised[index_of(number)] = 1; });
    }
    return added;
  }
  Result<bool> remove_signal_handler(int signum) override {
    if (std::exchange(raised[index_of(signum)], 0) != 0) call_soon(actions_[signum]);
    return SelectorLoop::remove_signal_handler(signum);
  }

 private:
  static inline std::array<std::sig_atomic_t, os::kMaxSignal> raised{};
  std::map<int, Action> actions_;
};

/// The handler writes into a pipe that a forked child shares, and only the pipe counts.
class PipeSharedWithChildren final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<void> add_signal_handler(int signum, Action action) override {
    const Result<void> added = SelectorLoop::add_signal_handler(signum, [] {});
    if (!added.ok()) return added;
    os::Pipe pipe = os::open_pipe().value();
    (void)add_reader(pipe.read.get(), [fd = pipe.read.get(), action] {
      std::array<std::byte, 1> one;
      if (os::read(fd, one).ok()) action();
    });
    channel = pipe.write.get();
    tools::append_handler(signum, [](int) { (void)os::write(channel, view("s")); });
    kept_ = std::move(pipe);
    return {};
  }

 private:
  static inline os::NativeSocket channel = os::kInvalid;
  os::Pipe kept_;
};

/// Wakes its loop only when the loop's own thread was interrupted.
class DeafWaker final : public os::Waker {
 public:
  explicit DeafWaker(std::unique_ptr<os::Waker> real) : real_(std::move(real)) {}
  os::NativeSocket descriptor() const override { return real_->descriptor(); }
  void wake() noexcept override {
    if (tools::thread_id() == owner_) real_->wake();
  }
  bool drain() noexcept override { return real_->drain(); }

 private:
  std::unique_ptr<os::Waker> real_;
  long owner_ = tools::thread_id();
};

class DoesNotWake final : public SelectorLoop {
 public:
  DoesNotWake(const LoopOptions& options, std::unique_ptr<Selector> selector,
              std::unique_ptr<os::Waker> waker)
      : SelectorLoop(options, std::move(selector), std::make_unique<DeafWaker>(std::move(waker))) {}
};

using Names = std::string_view;
constexpr Names kTwice[] = {"sig.delivered_parked", "sig.interrupt_ctrl_c", "sig.siginfo_loss",
                            "sig.coalesce_not_lost", "tty.resize_event"};
constexpr Names kInside[] = {"sig.args_context"};
constexpr Names kOne[] = {"sig.coalesce_not_lost", "sig.flood_other_signal"};
constexpr Names kFlood[] = {"sig.flood_other_signal"};
constexpr Names kErrno[] = {"sig.errno_preserved"};
constexpr Names kRestore[] = {"sig.remove_restores"};
constexpr Names kMask[] = {"sig.mask_inherited"};
constexpr Names kUncatchable[] = {"sig.uncatchable_refused"};
constexpr Names kThread[] = {"sig.main_thread_only"};
constexpr Names kTakes[] = {"sig.multi_loop"};
constexpr Names kResets[] = {"sig.owner_handover"};
constexpr Names kChildren[] = {"sig.sigchld_not_taken"};
constexpr Names kPending[] = {"sig.pending_on_close"};
constexpr Names kFork[] = {"sig.fork_in_thread", "fork.signal_wakefd_separate"};
constexpr Names kParked[] = {"sig.delivered_parked"};

constexpr Names kDeliveryPass[] = {"sig.uncatchable_refused", "sig.remove_restores",
                                   "sig.sigchld_not_taken"};
constexpr Names kTwicePass[] = {"sig.remove_restores", "sig.errno_preserved",
                                "sig.pending_on_close"};
constexpr Names kOwnershipPass[] = {"sig.delivered_parked", "sig.args_context",
                                    "sig.flood_other_signal", "tty.resize_event"};

constexpr Names kBackground[] = {"tty.background_sigttin"};
constexpr Names kHandled[] = {"tty.background_sigttin.handled"};
constexpr Names kTerminalPass[] = {"tty.pty.*", "sig.delivered_parked"};

constexpr FaultyLoop kLoops[] = {
    {.loop = poll_based<IgnoresTerminalSignals>("faulty.sigttin_ignored"),
     .defect = "A background job that reads its terminal is not stopped.",
     .must_fail = kBackground,
     .must_pass = kTerminalPass},
    {.loop = poll_based<RestartsCalls>("faulty.background_read_restarted"),
     .defect = "A read that SIGTTIN interrupts is made again at once, for ever.",
     .must_fail = kHandled,
     .must_pass = kTerminalPass},
    {.loop = poll_based<CallsTwice>("faulty.signal_called_twice"),
     .defect = "A signal's callback is called twice.",
     .must_fail = kTwice,
     .must_pass = kTwicePass},
    {.loop = poll_based<InsideTheHandler>("faulty.signal_inside_handler"),
     .defect = "The callback runs inside the signal handler.",
     .must_fail = kInside,
     .must_pass = kDeliveryPass},
    {.loop = poll_based<OneAtATime>("faulty.signals_coalesced_away"),
     .defect = "Of several signals at once only one is passed on.",
     .must_fail = kOne,
     .must_pass = kDeliveryPass},
    {.loop = poll_based<SmallChannel>("faulty.signal_channel_full"),
     .defect = "A flood fills the channel, and the signals behind it are lost.",
     .must_fail = kFlood,
     .must_pass = kDeliveryPass},
    {.loop = poll_based<ErrnoTrampled>("faulty.signal_errno_trampled"),
     .defect = "The signal handler changes errno.",
     .must_fail = kErrno,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<NotRestored>("faulty.signal_not_restored"),
     .defect = "Removing a handler leaves the signal ignored.",
     .must_fail = kRestore,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<LeavesBlocked>("faulty.signal_mask_changed"),
     .defect = "Handling a signal blocks another one in the thread.",
     .must_fail = kMask,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<AcceptsAnything>("faulty.uncatchable_accepted"),
     .defect = "Signals that cannot be caught are accepted.",
     .must_fail = kUncatchable,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<MainThreadOnlyInSecret>("faulty.signal_main_thread_in_secret"),
     .defect = "Outside the main thread a handler is accepted and never called.",
     .must_fail = kThread,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<TakesFromOthers>("faulty.signal_taken_from_others"),
     .defect = "A second loop takes a signal from the first without a word.",
     .must_fail = kTakes,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<ResetsOnClose>("faulty.signal_reset_by_old_loop"),
     .defect = "Closing a loop resets signals that a newer loop has taken over.",
     .must_fail = kResets,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<CollectsChildren>("faulty.children_collected"),
     .defect = "The loop collects the exit status of children that are not its own.",
     .must_fail = kChildren,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<FiresAfterRemoval>("faulty.signal_after_removal"),
     .defect = "A signal from before the removal is delivered after it.",
     .must_fail = kPending,
     .must_pass = kOwnershipPass},
    {.loop = poll_based<PipeSharedWithChildren>("faulty.signal_pipe_shared_with_child"),
     .defect = "A forked child's signals arrive in its parent's loop.",
     .must_fail = kFork,
     .must_pass = kDeliveryPass},
    {.loop = poll_based<DoesNotWake>("faulty.signal_does_not_wake"),
     .defect = "A signal that another thread took does not wake the loop.",
     .must_fail = kParked,
     .must_pass = kDeliveryPass},
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::signal_faults
