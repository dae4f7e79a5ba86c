// Timers: which one fires first, cancelling them, odd delays and large numbers of them.
#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "harness/host.hpp"
#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"

namespace loopscope::scenarios::timer_order {
namespace {

using namespace std::chrono_literals;

void by_deadline(Context& cx) {
  EventLoop& loop = cx.loop();
  const TimePoint start = loop.time();
  loop.call_at(start + 9ms, [&] { cx.mark("9 ms"), loop.stop(); });
  loop.call_at(start + 3ms, [&] { cx.mark("3 ms"); });
  loop.call_at(start + 6ms, [&] { cx.mark("6 ms"); });
  loop.call_soon([&] { stall(15ms); });  // All are overdue at once.
  cx.run_forever();
  cx.run_once();
  cx.expect_trace({"3 ms", "6 ms", "9 ms"});
}

void equal_deadlines(Context& cx) {
  constexpr int kTimers = 50;
  const TimePoint due = cx.loop().time() + 5ms;
  std::vector<int> seen, want;
  for (int i = 0; i < kTimers; ++i) {
    want.push_back(i);
    cx.loop().call_at(due, [&seen, i] { seen.push_back(i); });
  }
  cx.run_until([&] { return seen.size() >= kTimers; });
  if (seen != want) cx.diverges("not in the order of arming", show(want), show(seen));
}

void zero_and_negative(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_later(0s, [&] { cx.mark("zero"); });
  cx.mark("armed");
  cx.run_until([&] { return cx.trace().count("zero") > 0; });
  loop.call_later(-5s, [&] { cx.mark("negative"); });
  cx.mark("armed");
  cx.run_until([&] { return cx.trace().count("negative") > 0; });
  cx.expect_trace({"armed", "zero", "armed", "negative"});
}

void zero_does_not_starve(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [subject, peer] = cx.stream_pair();
  bool read = false;
  std::function<void()> again = [&] {
    if (read) return loop.stop();
    loop.call_later(0s, again);
  };
  peer.send("x");
  loop.call_later(0s, [&] {
    cx.ok(loop.add_reader(subject, [&] { read = true; }), "add_reader");
    again();
  });
  cx.run_forever();
  cx.is_true(read, "the reader ran between timers of zero");
}

void huge(Context& cx) {
  using Seconds = std::chrono::duration<double>;
  EventLoop& loop = cx.loop();
  const Delay delays[] = {std::chrono::milliseconds(2'147'483'648),
                          std::chrono::milliseconds(4'294'967'297),
                          Seconds(1e9),
                          Seconds(1e12),
                          Seconds(1e18),
                          Seconds(std::numeric_limits<double>::infinity())};
  for (const Delay& delay : delays) {
    cx.ok(loop.call_later(delay, [&] { cx.mark("a huge delay fired"); }), "call_later");
  }
  int expected = 2;  // whatever their order on a host that kept the loop from running
  const auto came = [&](std::string_view what) {
    cx.mark(what);
    if (--expected == 0) loop.stop();
  };
  loop.call_later(10ms, [&] { came("10 ms"); });
  cx.thread([&] {
    let_pass(30ms);
    loop.call_soon_threadsafe([&] { came("thread"); });
  });
  const std::uint64_t before = cx.waits();
  cx.run_forever();
  cx.at_most(cx.waits() - before, 10u, "waits with nothing but far deadlines and two events");
  cx.is_true(cx.trace().count("a huge delay fired") == 0, "no huge delay fires");
  cx.equal(cx.trace().count("10 ms"), 1u, "calls of the timer of 10 ms");
}

void huge_alone(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_at(TimePoint::max(), [&] { cx.mark("the end of time"); });
  loop.call_later(std::chrono::hours(24 * 60), [&] { cx.mark("60 days"); });
  cx.thread([&] {
    let_pass(30ms);
    loop.call_soon_threadsafe([&] { cx.mark("thread"), loop.stop(); });
  });
  const std::uint64_t before = cx.waits();
  cx.run_forever();
  cx.at_most(cx.waits() - before, 6u, "waits with nothing but far deadlines");
  cx.expect_trace({"thread"});
}

void not_a_number(Context& cx) {
  EventLoop& loop = cx.loop();
  const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  loop.call_later(3ms, [&] { cx.mark("3 ms"); });
  const TimerHandle refused = loop.call_later(nan, [&] { cx.mark("NaN"); });
  loop.call_later(1ms, [&] { cx.mark("1 ms"); });
  loop.call_later(6ms, [&] { cx.mark("6 ms"), loop.stop(); });
  cx.refused(refused.accepted(), "a delay that is not a number");
  cx.run_forever();
  cx.expect_trace({"1 ms", "3 ms", "6 ms"});
}

void cancel_storm(Context& cx) {
  constexpr int kRounds = 20, kTimers = 5'000;
  const auto token = std::make_shared<int>(0);
  std::vector<TimerHandle> timers(kTimers);
  std::size_t after_two = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kTimers; ++i) {
      timers[static_cast<std::size_t>(i)] = cx.loop().call_later(1h + i * 1ms, [token] {});
    }
    for (TimerHandle& timer : timers) cx.is_true(timer.cancel(), "cancel() of a pending timer");
    cx.run_once();
    if (round == 1) after_two = host::max_resident_bytes();
  }
  cx.equal(token.use_count(), 1, "owners of what the cancelled callbacks captured");
  const std::size_t growth = host::max_resident_bytes() - after_two;
  cx.note("growth", static_cast<double>(growth), "bytes");
  if (kMemoryIsMeasurable) {
    cx.at_most(growth, 6u << 20, "bytes of growth from 10 000 to 100 000 cancelled timers");
  }
}

void cancel_in_batch(Context& cx) {
  EventLoop& loop = cx.loop();
  const TimePoint start = loop.time();
  TimerHandle second;
  loop.call_at(start + 2ms, [&] {
    cx.mark("first");
    cx.is_true(second.cancel(), "cancel() of a timer that is due but did not run");
  });
  second = loop.call_at(start + 4ms, [&] { cx.mark("second"); });
  loop.call_at(start + 6ms, [&] { cx.mark("third"), loop.stop(); });
  loop.call_soon([&] { stall(12ms); });  // All are due in the same iteration.
  cx.run_forever();
  cx.run_once();
  cx.expect_trace({"first", "third"});
}

void no_burst_after_stall(Context& cx) {
  constexpr Duration kPeriod = 5ms;
  EventLoop& loop = cx.loop();
  int ticks = 0, before = 0;
  TimePoint awake;
  std::function<void()> tick = [&] {
    ++ticks;
    loop.call_later(kPeriod, tick);
  };
  loop.call_later(kPeriod, tick);
  loop.call_later(kPeriod + 1ms, [&] {
    stall(120ms);
    awake = now();
    before = ticks;
    loop.stop();
  });
  cx.run_forever();
  for (int i = 0; i < 30; ++i) cx.run_once();
  const auto periods = (now() - awake) / kPeriod;
  cx.at_most(ticks - before, periods + 2, "ticks right after a stall of 24 periods");
  cx.at_least(ticks - before, 1, "ticks right after a stall of 24 periods");
}

void handle_when(Context& cx) {
  EventLoop& loop = cx.loop();
  const TimePoint due = loop.time() + 3ms;
  TimerHandle at = loop.call_at(due, [&] { loop.stop(); });
  cx.equal(at.when(), due, "when() of call_at");
  const TimePoint before = loop.time();
  TimerHandle later = loop.call_later(1h, [] {});
  const TimePoint after = loop.time(), when = later.when();
  cx.not_before(when, before + 1h, "when() of call_later");
  cx.not_before(after + 1h, when, "loop.time() after the call, an hour on");
  (void)later.cancel();
  cx.equal(later.when(), when, "when() after cancel()");
  cx.run_forever();
  cx.equal(at.when(), due, "when() after the timer fired");
}

void many_distinct(Context& cx) {
  constexpr std::size_t kTimers = 20'000;
  EventLoop& loop = cx.loop();
  std::mt19937_64 random(cx.seed());
  std::uniform_int_distribution<std::int64_t> spread(0, 60'000'000);
  std::vector<unsigned char> fired(kTimers);
  std::size_t left = kTimers;
  const TimePoint start = loop.time();
  for (std::size_t i = 0; i < kTimers; ++i) {
    const TimePoint due = start + Duration(spread(random));
    loop.call_at(due, [&, i, due] {
      cx.not_before(loop.time(), due, "loop.time() in the callback of a timer");
      ++fired[i];
      if (--left == 0) loop.stop();
    });
  }
  cx.run_forever();
  cx.run_once();
  cx.equal(std::count(fired.begin(), fired.end(), 1), kTimers, "timers that fired exactly once");
}

constexpr std::string_view kAt[] = {"call_at"};
constexpr std::string_view kLater[] = {"call_later"};
constexpr std::string_view kBoth[] = {"call_later", "call_at"};
constexpr std::string_view kCancel[] = {"call_later", "call_at", "Handle.cancel"};
constexpr std::string_view kWhen[] = {"TimerHandle.when", "call_at", "call_later"};
constexpr std::string_view kLaterDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_later";
constexpr std::string_view kCancelDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.Handle.cancel";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "timer.order.by_deadline",
     .promise = "Timers fire in the order of their deadlines, also when all are overdue.",
     .source = kLaterDoc,
     .needs = {Cap::call_soon, Cap::call_later},
     .body = by_deadline,
     .api = kAt,
     .limit = kLimit},
    {.id = "timer.order.equal_deadline",
     .promise = "Timers with the same deadline fire in the order of arming, or in no stated order.",
     .source = kLaterDoc,
     .needs = {Cap::call_later},
     .body = equal_deadlines,
     .level = Level::info,
     .severity = Severity::edge,
     .api = kAt,
     .limit = kLimit},
    {.id = "timer.zero_and_negative",
     .promise = "A delay of zero or less fires soon, and never inside the call.",
     .source = kLaterDoc,
     .needs = {Cap::call_later},
     .body = zero_and_negative,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.zero_and_negative.no_starvation",
     .promise = "A timer of zero that re-arms itself for ever does not starve I/O.",
     .source = kLaterDoc,
     .needs = {Cap::call_later, Cap::add_reader},
     .body = zero_does_not_starve,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.huge",
     .promise =
         "Delays beyond 24 and 49 days, up to infinity, neither fire nor keep others waiting.",
     .source = kLaterDoc,
     .needs = {Cap::call_later, Cap::call_soon_threadsafe},
     .body = huge,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.huge.alone",
     .promise = "A loop with nothing but far deadlines blocks, and can be woken.",
     .source = kLaterDoc,
     .needs = {Cap::call_later, Cap::call_soon_threadsafe},
     .body = huge_alone,
     .api = kBoth,
     .limit = kLimit},
    {.id = "timer.nan",
     .promise = "A delay that is not a number is refused at the call, and other timers still fire.",
     .source = "github.com/python/cpython/issues/105331",
     .needs = {Cap::call_later},
     .body = not_a_number,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.cancel.storm",
     .promise =
         "Arming and cancelling 100 000 far timers leaves neither memory nor captures behind.",
     .source = "CPython Lib/test/test_asyncio/test_base_events.py, "
               "test__run_once_cancelled_event_cleanup",
     .needs = {Cap::call_later},
     .body = cancel_storm,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kCancel},
    {.id = "timer.cancel.in_batch",
     .promise = "A timer can cancel another one that is due in the same iteration.",
     .source = kCancelDoc,
     .needs = {Cap::call_soon, Cap::call_later},
     .body = cancel_in_batch,
     .api = kCancel,
     .limit = kLimit},
    {.id = "timer.reschedule_in_callback",
     .promise = "A timer that re-arms itself fires once after a stall, not once for each period.",
     .source = kLaterDoc,
     .needs = {Cap::call_later},
     .body = no_burst_after_stall,
     .api = kLater,
     .limit = kLimit},
    {.id = "timer.handle.when",
     .promise = "when() is the deadline on the loop's clock, also after firing and cancelling.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.TimerHandle.when",
     .needs = {Cap::call_later},
     .body = handle_when,
     .severity = Severity::edge,
     .api = kWhen,
     .limit = kLimit},
    {.id = "timer.many_distinct",
     .promise = "20 000 timers with random deadlines all fire, once each and never early.",
     .source = kLaterDoc,
     .needs = {Cap::call_later},
     .body = many_distinct,
     .severity = Severity::common,
     .api = kAt},
};

}  // namespace

extern const ScenarioFile file{"A3", "Timers and clock", kScenarios};

}  // namespace loopscope::scenarios::timer_order
