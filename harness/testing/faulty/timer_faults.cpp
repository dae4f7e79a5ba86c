// Loops whose timers or clock are wrong, in one way each.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "harness/testing/own_turn.hpp"

namespace loopscope::testing::timer_faults {
namespace {

using namespace std::chrono_literals;

class Early final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.never_early", "timer.call_at.deadline"};
  static constexpr Names kKeeps[] = {"sched.soon.*", "timer.order.*", "timer.huge*"};
  TimerHandle call_at(TimePoint when, Callback callback) override {
    const TimerHandle armed = SelectorLoop::call_at(when - 400us, std::move(callback));
    return armed ? TimerHandle(this, armed.id(), when) : armed;
  }
};

/// The last fraction of a millisecond is waited for with a timeout of zero.
class RoundsDown final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.rounding_up"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "sched.soon.*"};

 protected:
  std::optional<Duration> wait_limit() override {
    const std::optional<Duration> limit = SelectorLoop::wait_limit();
    if (!limit) return limit;
    return std::chrono::floor<std::chrono::milliseconds>(*limit);
  }
};

class LatestFirst final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.order.by_deadline", "timer.order.equal_deadline"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.huge*", "sched.soon.*"};

 protected:
  void expire_timers() override {
    std::vector<std::uint64_t> due;
    timers_.expire(now(), [&due](std::uint64_t id) { due.push_back(id); });
    for (auto id = due.rbegin(); id != due.rend(); ++id) {
      ready_.push([this, timer = *id] {
        if (Callback callback = timers_.take(timer)) callback();
      });
    }
  }
};

/// A delay is a number of milliseconds in 32 bits; a negative one is due.
class HugeWraps final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.huge"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "timer.zero*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    const std::int64_t milliseconds = delay.value() / 1ms;
    if (delay.is_nan() || milliseconds < 0x7fffffff) {
      return SelectorLoop::call_later(delay, std::move(callback));
    }
    const auto wrapped = static_cast<std::int32_t>(static_cast<std::uint32_t>(milliseconds));
    return SelectorLoop::call_later(std::chrono::milliseconds(wrapped), std::move(callback));
  }
};

const TimePoint kProgramBegan = now();

/// Takes the program's start for the beginning of time, in a child whose clock is another one too.
class CountsFromTheStart final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"uring.timeout_values.time_namespace"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "timer.zero*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    const Duration age = now() - kProgramBegan;
    if (delay.is_nan() || age < 12h) return SelectorLoop::call_later(delay, std::move(callback));
    return SelectorLoop::call_later(delay.value() + age, std::move(callback));
  }
};

/// A timeout that does not fit the system's type becomes zero.
class HugeSpins final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.huge.alone", "timer.huge", "uring.timeout_values"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "timer.zero*"};

 protected:
  std::optional<Duration> wait_limit() override {
    const std::optional<Duration> limit = SelectorLoop::wait_limit();
    return limit && *limit >= 24h ? Duration::zero() : limit;
  }
};

/// Compares with what is no number: the timers behind it never fire.
class NanAccepted final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.nan"};
  static constexpr Names kKeeps[] = {"timer.never_early", "timer.order.*", "timer.huge*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    if (delay.is_nan()) return SelectorLoop::call_at(TimePoint::max(), std::move(callback));
    return SelectorLoop::call_later(delay, std::move(callback));
  }
};

class FiresTwice final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.many_distinct", "timer.order.by_deadline",
                                        "timer.zero_and_negative"};
  static constexpr Names kKeeps[] = {"timer.huge.alone", "sched.soon.fifo", "life.close.*"};
  TimerHandle call_at(TimePoint when, Callback callback) override {
    return SelectorLoop::call_at(when, [twice = std::make_shared<Callback>(std::move(callback))] {
      (*twice)();
      (*twice)();
    });
  }
};

/// Takes the callback out when the timer is due, where nobody finds it any more.
class DueCannotBeCancelled final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.cancel.in_batch"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.cancel.storm", "sched.soon.*"};

 protected:
  void expire_timers() override {
    timers_.expire(now(), [this](std::uint64_t id) { ready_.push(timers_.take(id)); });
  }
};

/// A cancelled timer stays where it is, with all that it holds, until its deadline.
class CancelledStays final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.cancel.storm"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.cancel.in_batch", "sched.soon.*"};

 protected:
  bool cancel_timer(std::uint64_t id) override { return cancelled_.insert(id).second; }
  void expire_timers() override {
    timers_.expire(now(), [this](std::uint64_t id) {
      ready_.push([this, id] {
        Callback callback = timers_.take(id);
        if (callback && cancelled_.erase(id) == 0) callback();
      });
    });
  }

 private:
  std::unordered_set<std::uint64_t> cancelled_;
};

/// Inside a timer's callback delays count from when the timer was due.
class CatchesUp final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.reschedule_in_callback"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.huge*", "sched.soon.*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    if (delay.is_nan()) return TimerHandle(Errc::invalid_argument);
    const TimePoint due = saturating_add(base_.value_or(time()), delay.value());
    auto run = [this, due, inner = std::make_shared<Callback>(std::move(callback))] {
      base_ = due;
      (*inner)();
      base_.reset();
    };
    return call_at(due, std::move(run));
  }

 private:
  std::optional<TimePoint> base_;
};

/// Looks at the clock once in an iteration.
class OldTime final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.update_after_slow_callback"};
  static constexpr Names kKeeps[] = {"timer.order.by_deadline", "timer.huge*", "sched.soon.*"};
  TimePoint time() const override { return is_running() ? time_ : now(); }

 protected:
  Result<void> poll(std::optional<Duration> timeout) override {
    Result<void> waited = SelectorLoop::poll(timeout);
    time_ = now();
    return waited;
  }

 private:
  TimePoint time_{};
};

class TimeOfDay final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.monotonic"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.never_early", "timer.handle.when"};
  TimePoint time() const override { return now() + ahead_; }
  TimerHandle call_at(TimePoint when, Callback callback) override {
    const TimerHandle armed = SelectorLoop::call_at(when - ahead_, std::move(callback));
    return armed ? TimerHandle(this, armed.id(), when) : armed;
  }

 private:
  const Duration ahead_ =
      std::chrono::system_clock::now().time_since_epoch() - now().time_since_epoch();
};

class CoarseClock final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.resolution.reported", "timer.never_early"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.huge*", "sched.soon.*"};
  TimePoint time() const override {
    const Duration since = now().time_since_epoch();
    return TimePoint(since - since % Duration(16ms));
  }
};

class WhenIsNow final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.handle.when"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.huge*", "sched.soon.*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    const TimerHandle armed = SelectorLoop::call_later(delay, std::move(callback));
    return armed ? TimerHandle(this, armed.id(), time()) : armed;
  }
};

class ZeroInline final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"timer.zero_and_negative"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.huge*", "sched.soon.*"};
  TimerHandle call_later(Delay delay, Callback callback) override {
    if (delay.is_nan() || delay.value() > Duration::zero() || is_closed()) {
      return SelectorLoop::call_later(delay, std::move(callback));
    }
    run_callback(callback);
    return SelectorLoop::call_later(delay, [] {});
  }
};

/// Runs timers until none is due, before it looks at the system again.
class ZeroStarves final : public OwnTurn {
 public:
  using OwnTurn::OwnTurn;
  static constexpr Names kCaughtBy[] = {"timer.zero_and_negative.no_starvation"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.zero_and_negative", "sched.soon.*"};

 protected:
  void run_batch() override {
    OwnTurn::run_batch();
    while (!stopping_ && timers_.next_deadline().value_or(TimePoint::max()) <= now()) {
      expire_timers();
      OwnTurn::run_batch();
    }
  }
};

/// A wait that ends before its timeout with nothing ready: interrupted, or woken.
class Interruptible : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;

 protected:
  void wake() noexcept override {
    woken_ = true;
    SelectorLoop::wake();
  }
  Result<void> poll(std::optional<Duration> timeout) override {
    const TimePoint began = now();
    Result<void> waited = SelectorLoop::poll(timeout);
    const bool early = !timeout || now() < saturating_add(began, *timeout);
    const bool woken = woken_.exchange(false);
    if (!waited.ok() || !early || woken || !ready_.empty()) return waited;
    return interrupted(began, timeout);
  }
  virtual Result<void> interrupted(TimePoint began, std::optional<Duration> timeout) = 0;

 private:
  std::atomic<bool> woken_{false};
};

class InterruptedIsExpired final : public Interruptible {
 public:
  using Interruptible::Interruptible;
  static constexpr Names kCaughtBy[] = {"timer.interaction_signal_eintr"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.never_early", "sched.soon.*"};

 protected:
  Result<void> interrupted(TimePoint began, std::optional<Duration> timeout) override {
    if (timeout) pretended_ = saturating_add(began, *timeout);
    return {};
  }
  void expire_timers() override {
    timers_.expire(std::max(now(), std::exchange(pretended_, {})), [this](std::uint64_t id) {
      ready_.push([this, id] {
        if (Callback callback = timers_.take(id)) callback();
      });
    });
  }

 private:
  TimePoint pretended_{};
};

class InterruptedStartsOver final : public Interruptible {
 public:
  using Interruptible::Interruptible;
  static constexpr Names kCaughtBy[] = {"timer.interaction_signal_eintr"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.never_early", "sched.soon.*"};

 protected:
  Result<void> interrupted(TimePoint, std::optional<Duration> timeout) override {
    return poll(timeout);  // From the beginning: under enough signals for ever.
  }
};

class InterruptedIsFatal final : public Interruptible {
 public:
  using Interruptible::Interruptible;
  static constexpr Names kCaughtBy[] = {"err.eintr_everywhere", "timer.interaction_signal_eintr"};
  static constexpr Names kKeeps[] = {"timer.order.*", "timer.never_early", "sched.soon.*"};

 protected:
  Result<void> interrupted(TimePoint, std::optional<Duration>) override {
    return errno_error_of(EINTR, "ppoll");
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong<Early>("faulty.early_timer", "Timers fire up to 0.4 ms early."),
    wrong<RoundsDown>("faulty.rounds_down", "Timeouts are rounded down to milliseconds."),
    wrong<LatestFirst>("faulty.latest_timer_first", "Of the timers due, the latest fires first."),
    wrong<HugeWraps>("faulty.huge_delay_wraps", "Delays wrap around at 32 bits of milliseconds."),
    wrong<HugeSpins>("faulty.huge_delay_spins", "Far deadlines make the loop spin."),
    wrong<CountsFromTheStart>("faulty.timer_counts_from_the_start",
                              "Timers are late by what another time namespace is ahead."),
    wrong<NanAccepted>("faulty.nan_accepted", "A delay that is not a number is accepted."),
    wrong<FiresTwice>("faulty.timer_fires_twice", "Timers fire twice."),
    wrong<DueCannotBeCancelled>("faulty.due_timer_runs",
                                "A timer that is due runs although "
                                "it was cancelled."),
    wrong<CancelledStays>("faulty.cancelled_timer_stays",
                          "Cancelled timers keep their callbacks until the deadline."),
    wrong<CatchesUp>("faulty.timer_catches_up", "Missed periods are made up for in a burst."),
    wrong<OldTime>("faulty.old_time", "Delays count from the beginning of the iteration."),
    wrong<TimeOfDay>("faulty.time_of_day", "The loop's clock is the time of day."),
    wrong<CoarseClock>("faulty.coarse_clock", "The loop's clock moves in steps of 16 ms."),
    wrong<WhenIsNow>("faulty.when_is_now", "when() is the time of the call, not the deadline."),
    wrong<ZeroInline>("faulty.zero_delay_inline", "A delay of zero runs inside the call."),
    wrong<ZeroStarves>("faulty.zero_delay_starves", "Timers of zero keep I/O waiting for ever."),
    wrong<InterruptedIsExpired>("faulty.interrupted_is_expired",
                                "An interrupted wait counts as one that timed out."),
    wrong<InterruptedStartsOver>("faulty.interrupted_starts_over",
                                 "An interrupted wait begins again with its whole timeout."),
    wrong<InterruptedIsFatal>("faulty.interrupted_is_fatal", "An interrupted wait ends the run."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::timer_faults
