// Timers: when they fire, and the clock that they are measured with.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/tools/signal_storm.hpp"

namespace loopscope::scenarios::timer_accuracy {
namespace {

using namespace std::chrono_literals;

/// Arms a timer whose callback checks both clocks and then calls `then`.
void shoot(Context& cx, Duration delay, std::function<void()> then) {
  const TimePoint armed = now();
  const auto timer = std::make_shared<TimerHandle>();
  *timer = cx.loop().call_later(delay, [&cx, timer, armed, delay, then = std::move(then)] {
    cx.not_before(cx.loop().time(), timer->when(), "loop.time() in the callback of a timer");
    cx.not_before(now(), armed + delay, "the monotonic clock in the callback of a timer");
    then();
  });
}

void never_early(Context& cx) {
  int left = 60, shots = 0;
  for (int i = 0; i < 60; ++i) {
    shoot(cx, 5ms + i * 137us, [&] {
      if (--left == 0) cx.loop().stop();
    });
  }
  cx.run_forever();
  std::function<void()> next = [&] {
    if (++shots == 200) return cx.loop().stop();
    shoot(cx, 300us, next);
  };
  shoot(cx, 300us, next);
  cx.run_forever();
  cx.equal(shots, 200, "timers of 0.3 ms that fired one after the other");
}

void call_at_deadline(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_at(loop.time() - 1h, [&] { cx.mark("past"); });
  cx.mark("armed");
  int left = 20;
  std::function<void()> next = [&] {
    if (left-- == 0) return loop.stop();
    const TimePoint due = loop.time() + 2ms;
    loop.call_at(due, [&, due] {
      cx.not_before(loop.time(), due, "loop.time() in the callback of call_at");
      next();
    });
  };
  next();
  cx.run_forever();
  cx.expect_trace({"armed", "past"});
}

void rounding_up(Context& cx) {
  std::uint64_t worst = 0;
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t before = cx.waits();
    cx.loop().call_later(2'300us, [&] { cx.loop().stop(); });
    cx.run_forever();
    worst = std::max(worst, cx.waits() - before);
  }
  cx.at_most(worst, 3u, "waits for one timer of 2.3 ms");
}

void after_slow_callback(Context& cx) {
  EventLoop& loop = cx.loop();
  TimePoint armed, fired;
  loop.call_soon([&] {
    stall(30ms);
    armed = now();
    loop.call_later(10ms, [&] { fired = now(), loop.stop(); });
  });
  cx.run_forever();
  if (fired < armed + 10ms - cx.descriptor().clock_resolution) {
    cx.diverges("delays count from the start of the iteration", "10 ms after the call at least",
                show(fired - armed) + " after it");
  }
}

void monotonic(Context& cx) {
  EventLoop& loop = cx.loop();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  cx.at_least(std::chrono::abs(wall - loop.time().time_since_epoch()), 24h,
              "the distance of loop.time() from the time of day");
  TimePoint last = loop.time();
  const TimePoint began = last, real_began = now();
  while (now() < real_began + 30ms) {
    const TimePoint reading = loop.time();
    cx.at_least(reading, last, "a reading of loop.time() after another");
    last = reading;
  }
  loop.call_later(20ms, [&] { loop.stop(); });
  cx.run_forever();
  cx.not_before(loop.time(), began + 20ms, "loop.time() after a timer of 20 ms");
}

void resolution(Context& cx) {
  EventLoop& loop = cx.loop();
  std::optional<Duration> smallest;
  TimePoint last = loop.time();
  int turns = 0;
  std::function<void()> turn = [&] {
    const TimePoint reading = loop.time();
    if (reading > last) smallest = std::min(smallest.value_or(Duration::max()), reading - last);
    last = reading;
    const bool enough = ++turns >= 2'000 && smallest;
    if (enough) return loop.stop();
    loop.call_soon([&] { turn(); });
  };
  loop.call_soon([&] { turn(); });
  cx.run_forever();
  const Duration claimed = cx.descriptor().clock_resolution;
  cx.note("smallest_step", static_cast<double>(smallest->count()), "ns");
  cx.at_most(*smallest, std::max<Duration>(claimed, 200us), "the smallest step of loop.time()");
}

void signals_during_a_wait(Context& cx) {
  constexpr auto kWait = 150ms;
  HostControl control(5ms);
  const tools::SignalStorm storm(1ms);
  const TimePoint due = now() + kWait;
  cx.loop().call_later(kWait, [&] { cx.loop().stop(); });
  cx.run_forever();
  const TimePoint fired = now();
  cx.note("interruptions", storm.interruptions(), "count");
  cx.not_before(fired, due, "a timer under a storm of signals");
  if (storm.interruptions() < 10) cx.inconclusive("the host delivered hardly any signal");
  cx.soon_after(fired, due, control, "a timer under a storm of signals");
}

constexpr std::string_view kLater[] = {"call_later", "TimerHandle.when", "time"};
constexpr std::string_view kAt[] = {"call_at", "time"};
constexpr std::string_view kOnlyLater[] = {"call_later"};
constexpr std::string_view kTime[] = {"time"};
constexpr std::string_view kLaterDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_later";
constexpr std::string_view kTimeDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.time";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "timer.never_early",
     .promise = "A timer fires no earlier than its delay, by the loop's clock and by the system's.",
     .source = kLaterDoc,
     .needs = {Cap::call_later},
     .body = never_early,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.call_at.deadline",
     .promise = "call_at() fires at or after its deadline; one in the past in the next iteration.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_at",
     .needs = {Cap::call_later},
     .body = call_at_deadline,
     .api = kAt,
     .limit = kLimit},
    {.id = "timer.rounding_up",
     .promise = "A delay with a fraction of a millisecond costs a few waits, not a spin.",
     .source = "POSIX.1-2017 poll(): a finer timeout is rounded up to the next supported value",
     .needs = {Cap::call_later},
     .body = rounding_up,
     .authority = Authority::posix,
     .api = kOnlyLater,
     .limit = kLimit},
    {.id = "timer.update_after_slow_callback",
     .promise = "After a slow callback a delay counts from the call, not from older loop time.",
     .source = "libev documentation, \"The special problem of time updates\"",
     .needs = {Cap::call_soon, Cap::call_later},
     .body = after_slow_callback,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kOnlyLater,
     .limit = kLimit},
    {.id = "timer.monotonic",
     .promise = "loop.time() never goes back, and is not the time of day.",
     .source = kTimeDoc,
     .needs = {Cap::call_later},
     .body = monotonic,
     .api = kTime,
     .limit = kLimit},
    {.id = "timer.resolution.reported",
     .promise = "The loop's stated clock resolution is no finer than the steps that it makes.",
     .source = "docs.python.org/3/library/asyncio-platforms.html (resolution of the monotonic "
               "clock)",
     .needs = {Cap::call_soon},
     .body = resolution,
     .level = Level::should,
     .severity = Severity::common,
     .api = kTime,
     .limit = kLimit},
    {.id = "timer.interaction_signal_eintr",
     .promise = "A thousand signals a second neither shorten nor endlessly extend a wait.",
     .source = "peps.python.org/pep-0475 (retried system calls recompute their timeout)",
     .needs = {Cap::call_later, Cap::native_socket},
     .body = signals_during_a_wait,
     .api = kOnlyLater,
     .timing = true,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A3", "Timers and clock", kScenarios};

}  // namespace loopscope::scenarios::timer_accuracy
