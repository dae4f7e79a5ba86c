// Loops that are woken, or take callbacks from other threads, wrongly, in one way each.
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "harness/testing/own_turn.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/os/pipe.hpp"

namespace loopscope::testing::wake_faults {
namespace {

using namespace std::chrono_literals;

class NeverWoken final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.parked", "life.stop.from_thread_unsafe",
                                        "policy.two_loops_interplay"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*",
                                     "wake.threadsafe.before_run"};

 protected:
  void wake() noexcept override {}
};

/// A flag says that a wake-up is on its way; it is cleared when the callbacks have run, and what
/// came between is not looked for.
class FlagClearedLate final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.lost_wakeup_race"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "life.stop.*"};
  Handle call_soon_threadsafe(Callback callback) override {
    const std::lock_guard lock(mutex_);
    if (is_closed()) return Handle(Errc::closed);
    posted_.push_back(std::move(callback));
    if (!std::exchange(on_its_way_, true)) wake();
    return Handle(this, Handle::Kind::threadsafe, 1'000'000'000);
  }

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    Result<void> waited = SelectorLoop::poll(timeout);
    const std::lock_guard lock(mutex_);
    for (Callback& callback : std::exchange(posted_, {})) ready_.push(std::move(callback));
    return waited;
  }
  Result<void> run_once() override {
    Result<void> turn = SelectorLoop::run_once();
    for (const TimePoint end = now() + 100us; now() < end;) {  // other things to do
    }
    const std::lock_guard lock(mutex_);
    on_its_way_ = false;
    return turn;
  }

 private:
  std::mutex mutex_;
  std::vector<Callback> posted_;
  bool on_its_way_ = false;
};

class PostedReversed final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.order_per_thread",
                                        "wake.threadsafe.before_run"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "life.stop.*"};

 protected:
  void take_posted() override {
    ReadyQueue posted;
    inbox_.drain(posted);
    std::vector<Callback> batch;
    while (!posted.empty()) batch.push_back(posted.pop());
    for (; !batch.empty(); batch.pop_back()) ready_.push(std::move(batch.back()));
  }
};

/// Each call writes a byte into a pipe that blocks when it is full.
class BlockingChannel final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.flood_while_blocked"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "wake.threadsafe.parked"};
  Handle call_soon_threadsafe(Callback callback) override {
    const Handle handle = SelectorLoop::call_soon_threadsafe(std::move(callback));
    if (handle) (void)os::write(channel_.write.get(), view("!"));
    return handle;
  }

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    std::array<std::byte, 4096> sink;
    (void)os::set_blocking(channel_.read.get(), false);
    (void)os::read(channel_.read.get(), sink);
    return SelectorLoop::poll(timeout);
  }

 private:
  os::Pipe channel_ = os::open_pipe().value();
};

/// Has room for a thousand calls, and drops the rest without a word.
class DropsWhenFull final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.flood_while_blocked"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "wake.threadsafe.parked"};
  Handle call_soon_threadsafe(Callback callback) override {
    if (!on_loop_thread() && ++waiting_ > 1'000) callback = [] {};
    return SelectorLoop::call_soon_threadsafe(std::move(callback));
  }

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    waiting_ = 0;
    return SelectorLoop::poll(timeout);
  }

 private:
  std::atomic<int> waiting_{0};
};

class EarlyCallsLost final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.before_run"};
  static constexpr Names kKeeps[] = {"sched.soon.fifo", "timer.order.*", "wake.threadsafe.parked"};
  Result<void> run_forever() override {
    ReadyQueue lost;
    if (!is_running()) inbox_.drain(lost);
    return SelectorLoop::run_forever();
  }
};

class OwnThreadInline final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.same_thread"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "wake.threadsafe.parked"};
  Handle call_soon_threadsafe(Callback callback) override {
    if (!is_running() || !on_loop_thread()) {
      return SelectorLoop::call_soon_threadsafe(std::move(callback));
    }
    run_callback(callback);
    return SelectorLoop::call_soon_threadsafe([] {});
  }
};

/// Keeps the number of its wake-up descriptor, and writes to it whoever has it by now.
class WritesToStrangers final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.threadsafe.close_race"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "wake.threadsafe.parked"};
  Result<void> close() override {
    if (!is_running() && !is_closed()) number_ = backend().internal_descriptors.front();
    return SelectorLoop::close();
  }
  Handle call_soon_threadsafe(Callback callback) override {
    const Handle handle = SelectorLoop::call_soon_threadsafe(std::move(callback));
    if (!handle && ++refused_ < 2'000) (void)os::write(number_, view("!"));
    return handle;
  }

 private:
  std::atomic<os::NativeSocket> number_{os::kInvalid};
  std::atomic<int> refused_{0};
};

/// Keeps a file open that programs started by the process inherit.
class Inheritable final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.internal_fds_hidden"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "life.close.idempotent"};
  Result<void> close() override {
    Result<void> closed = SelectorLoop::close();
    if (closed.ok()) file_.reset();
    return closed;
  }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };
  std::unique_ptr<std::FILE, CloseFile> file_{std::tmpfile()};
};

/// Passes everything on to a waker, but gets one answer wrong.
class AroundWaker : public os::Waker {
 public:
  explicit AroundWaker(std::unique_ptr<os::Waker> inner) : inner_(std::move(inner)) {}
  os::NativeSocket descriptor() const override { return inner_->descriptor(); }
  void wake() noexcept override { inner_->wake(); }
  bool drain() noexcept override { return inner_->drain(); }

 protected:
  std::unique_ptr<os::Waker> inner_;
};

template <class L, class W, Result<std::unique_ptr<os::Waker>> (*make_inner)()>
Result<std::unique_ptr<EventLoop>> make_with_waker(const LoopOptions& options) {
  SelectorResult selector = make_poll_selector();
  if (!selector.ok()) return selector.error();
  Result<std::unique_ptr<os::Waker>> inner = make_inner();
  if (!inner.ok()) return inner.error();
  auto loop = std::make_unique<L>(options, std::move(selector).value(),
                                  std::make_unique<W>(std::move(inner).value()));
  if (const Result<void> opened = loop->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<EventLoop>(std::move(loop));
}

/// Takes the end of the channel for one more wake-up.
class EndlessWaker final : public AroundWaker {
 public:
  using AroundWaker::AroundWaker;
  bool drain() noexcept override {
    (void)inner_->drain();  // Whether the channel has ended: that is the defect.
    return true;
  }
};
class SpinsAtTheEnd final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.channel_eof"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "wake.threadsafe.parked"};
};

/// A wake-up from a signal handler counts only in the loop's own thread, whose wait the signal
/// interrupts anyway.
class OwnThreadWaker final : public AroundWaker {
 public:
  using AroundWaker::AroundWaker;
  void wake() noexcept override {
    if (posting || tools::thread_id() == home_) inner_->wake();
  }
  static inline thread_local bool posting = false;

 private:
  const long home_ = tools::thread_id();
};
class SignalsNeedOwnThread final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"wake.thread_signal"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "wake.threadsafe.parked",
                                     "life.between_runs.signal_kept"};

  Handle call_soon_threadsafe(Callback callback) override {
    OwnThreadWaker::posting = true;
    Handle posted = SelectorLoop::call_soon_threadsafe(std::move(callback));
    OwnThreadWaker::posting = false;
    return posted;
  }
};

class SpinsWhenIdle final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"life.empty.blocks_not_spins", "timer.huge.alone",
                                        "timer.rounding_up"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "timer.never_early"};

 protected:
  std::optional<Duration> wait_limit() override { return Duration::zero(); }
};

constexpr FaultyLoop kLoops[] = {
    wrong<NeverWoken>("faulty.never_woken", "Calls of other threads do not wake the loop."),
    wrong<FlagClearedLate>("faulty.wake_flag_cleared_late",
                           "A call that comes while callbacks run does not wake the loop."),
    wrong<PostedReversed>("faulty.posted_reversed",
                          "Callbacks from other threads run newest first."),
    wrong<BlockingChannel>("faulty.blocking_wake_channel",
                           "call_soon_threadsafe() blocks when the wake-up channel is full."),
    wrong<DropsWhenFull>("faulty.drops_when_full", "Calls beyond a thousand are dropped."),
    wrong<EarlyCallsLost>("faulty.early_calls_lost",
                          "What threads scheduled before the run is dropped."),
    wrong<OwnThreadInline>("faulty.own_thread_inline",
                           "call_soon_threadsafe() in the loop's thread runs the callback."),
    wrong<WritesToStrangers>("faulty.writes_to_strangers",
                             "A call after close() writes to a descriptor of somebody else."),
    wrong<Inheritable>("faulty.inheritable_descriptor", "A descriptor of the loop survives exec."),
    wrong<SpinsAtTheEnd>("faulty.spins_at_channel_end",
                         "The end of the wake-up channel makes the loop spin.",
                         make_with_waker<SpinsAtTheEnd, EndlessWaker, os::make_socketpair_waker>),
    wrong<SignalsNeedOwnThread>(
        "faulty.signals_need_own_thread",
        "A signal that another thread takes does not wake the loop.",
        make_with_waker<SignalsNeedOwnThread, OwnThreadWaker, os::make_waker>),
    wrong<SpinsWhenIdle>("faulty.spins_when_idle", "The loop never blocks."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::wake_faults
