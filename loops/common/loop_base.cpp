// The iteration, and timers on the loop's clock.
#include "loops/common/loop_base.hpp"

#include <algorithm>

#include "loops/base/type_name.hpp"

namespace loopscope {
namespace {
/// No single wait is longer. Kernels and libraries differ in what they do with huge timeouts; an
/// iteration a day is nothing.
constexpr Duration kLongestWait = std::chrono::hours(24);
}  // namespace

Result<void> LoopBase::run_forever() {
  if (Result<void> may = may_run("run_forever"); !may.ok()) return may;
  const RunScope scope(*this);
  struct ClearStop {
    bool& stopping;
    ~ClearStop() { stopping = false; }
  } clear_stop{stopping_};
  must_poll_ = true;
  do {
    if (Result<void> turn = run_once(); !turn.ok()) return turn;
  } while (!stopping_ && !is_closed());  // a forked child may close the loop inside the run
  return {};
}

std::optional<Duration> LoopBase::wait_limit() {
  if (!ready_.empty() || stopping_) return Duration::zero();
  const std::optional<TimePoint> deadline = timers_.next_deadline();
  if (!deadline) return std::nullopt;
  return std::clamp(*deadline - now(), Duration::zero(), kLongestWait);
}

Result<void> LoopBase::run_once() {
  const bool look =
      must_poll_ || stopping_ || ready_.empty() || ready_.head() - polled_at_ >= kCallbacksPerPoll;
  if (look) {
    must_poll_ = false;
    polled_at_ = ready_.head();
    std::optional<Duration> limit = wait_limit();
    if (limit != Duration::zero() && !inbox_.may_sleep()) limit = Duration::zero();
    if (Result<void> waited = poll(limit); !waited.ok()) return waited;
    inbox_.drain(ready_);
    expire_timers();
  }
  run_ready();
  return {};
}

void LoopBase::expire_timers() {
  if (timers_.waiting() == 0) return;
  timers_.expire(now(), [this](std::uint64_t id) {
    ready_.push([this, id] {
      Callback callback = timers_.take(id);
      if (!callback) return;  // cancelled since it became due
      const Activity activity(
          [&type = callback.target_type()] { return "timer's callback " + type_name(type); });
      callback();
    });
  });
}

TimerHandle LoopBase::call_at(TimePoint when, Callback callback) {
  if (const std::optional<Errc> why = refuses()) return TimerHandle(*why);
  return TimerHandle(this, timers_.add(when, std::move(callback)), when);
}

TimerHandle LoopBase::call_later(Delay delay, Callback callback) {
  if (delay.is_nan()) return TimerHandle(Errc::invalid_argument);
  return call_at(saturating_add(time(), delay.value()), std::move(callback));
}

bool LoopBase::cancel_timer(std::uint64_t id) {
  const Callback dropped = timers_.take(id);
  return static_cast<bool>(dropped);
}

Result<void> LoopBase::close() {
  if (is_running()) return make_error(Errc::invalid_state, "close", "the loop is running");
  if (is_closed()) return {};
  close_core();
  close_backend();
  timers_.clear();
  ready_.clear();
  return {};
}

}  // namespace loopscope
