// Scheduling: the order of callbacks, the iteration they run in, and cancelling them.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"

namespace loopscope::scenarios::sched_soon {
namespace {

using namespace std::chrono_literals;

void fifo(Context& cx) {
  constexpr std::size_t kCallbacks = 20'000;
  std::vector<std::size_t> seen;
  for (std::size_t i = 0; i < kCallbacks; ++i) {
    cx.loop().call_soon([&seen, i] { seen.push_back(i); });
  }
  cx.loop().call_soon([&] { cx.loop().stop(); });
  cx.run_forever();
  cx.run_once();
  std::vector<std::size_t> want(kCallbacks);
  std::iota(want.begin(), want.end(), std::size_t{0});
  cx.equal(seen.size(), kCallbacks, "callbacks that ran");
  cx.equal(seen, want, "the order in which they ran");
}

void deferred(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] {
    cx.mark("outer begins");
    loop.call_soon([&] { cx.mark("nested"), loop.stop(); });
    cx.mark("outer ends");
  });
  loop.call_soon([&] { cx.mark("sibling"); });
  cx.mark("scheduled");
  cx.run_forever();
  cx.expect_trace({"scheduled", "outer begins", "outer ends", "sibling", "nested"});
}

void chain_lets_others_in(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [subject, peer] = cx.stream_pair();
  bool read = false, timed = false, posted = false;
  std::function<void()> again = [&] {
    if (read && timed && posted) return loop.stop();
    loop.call_soon([&] { again(); });
  };
  cx.ok(loop.add_reader(subject, [&] { read = true; }), "add_reader");
  loop.call_soon([&, &to_subject = peer] {
    to_subject.send("x");
    loop.call_later(20ms, [&] { timed = true; });
    cx.thread([&] { loop.call_soon_threadsafe([&] { posted = true; }); });
    again();
  });
  cx.run_forever();
  cx.is_true(read && timed && posted, "reader, timer and thread got in between the callbacks");
}

void cancel_pending(Context& cx) {
  EventLoop& loop = cx.loop();
  Handle second, third;
  loop.call_soon([&] {
    cx.mark("first");
    cx.is_true(second.cancel(), "cancel() in the same batch prevents the callback");
  });
  second = loop.call_soon([&] { cx.mark("second"); });
  third = loop.call_soon([&] { cx.mark("third"); });
  loop.call_soon([&] { cx.mark("fourth"), loop.stop(); });
  cx.is_true(third.cancel(), "cancel() before the run prevents the callback");
  cx.run_forever();
  cx.expect_trace({"first", "fourth"});
}

void cancel_running(Context& cx) {
  EventLoop& loop = cx.loop();
  Handle self;
  auto argument = std::make_shared<std::string>("argument");
  const std::weak_ptr<std::string> watched = argument;
  self = loop.call_soon([&, held = std::move(argument)] {
    cx.is_true(!self.cancel(), "cancel() of the running callback prevents nothing");
    cx.is_true(!watched.expired(), "what the callback holds stays until it returns");
    cx.mark(*held);
    loop.stop();
  });
  cx.run_forever();
  cx.is_true(watched.expired(), "what the callback held goes with it");
  cx.expect_trace({"argument"});
}

void cancel_late(Context& cx) {
  EventLoop& loop = cx.loop();
  Handle ran = loop.call_soon([&] { cx.mark("ran"); });
  Handle twice = loop.call_soon([&] { cx.mark("cancelled"); });
  cx.is_true(twice.cancel(), "the first cancel() prevents the callback");
  cx.is_true(!twice.cancel(), "the second one has no effect");
  cx.run_once();
  cx.is_true(!ran.cancel(), "cancel() of a callback that ran has no effect");
  loop.call_soon([&] { cx.mark("another"); });
  (void)ran.cancel();    // The number of the handle may not hit another callback.
  (void)twice.cancel();  // The same.
  cx.run_once();
  cx.expect_trace({"ran", "another"});
}

void exception_isolated(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { cx.mark("handler"); });
  loop.call_soon([&] { cx.mark("before"); });
  loop.call_soon([] { throw std::runtime_error("boom"); });
  loop.call_soon([&] { cx.mark("after"); });
  cx.run_once();
  cx.run_once();
  cx.expect_trace({"before", "handler", "after"});
}

void order_of_sources(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [subject, peer] = cx.stream_pair();
  peer.send("x");
  loop.call_soon([&] {
    loop.call_later(0s, [&] { cx.mark("timer"); });
    loop.call_soon([&] { cx.mark("ready"); });
    cx.ok(loop.add_reader(subject,
                          [&] {
                            cx.mark("reader");
                            (void)loop.remove_reader(subject);  // Registered: it just ran.
                          }),
          "add_reader");
  });
  cx.run_until([&] { return cx.trace().names().size() >= 3; });
  cx.expect_one_of({{"ready, I/O, timers", {"ready", "reader", "timer"}},
                    {"ready, timers, I/O", {"ready", "timer", "reader"}},
                    {"I/O, ready, timers", {"reader", "ready", "timer"}},
                    {"I/O, timers, ready", {"reader", "timer", "ready"}},
                    {"timers, ready, I/O", {"timer", "ready", "reader"}},
                    {"timers, I/O, ready", {"timer", "reader", "ready"}}});
}

void no_recursion(Context& cx) {
  constexpr int kDepth = 20'000;
  EventLoop& loop = cx.loop();
  std::uintptr_t lowest = std::numeric_limits<std::uintptr_t>::max(), highest = 0;
  int runs = 0;
  std::function<void()> next = [&] {
    const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest = std::min(lowest, frame);
    highest = std::max(highest, frame);
    if (++runs == kDepth) return loop.stop();
    loop.call_soon([&] { next(); });
  };
  loop.call_soon([&] { next(); });
  cx.run_forever();
  cx.equal(runs, kDepth, "callbacks that scheduled each other");
  cx.at_most(highest - lowest, 65'536u, "bytes of stack between the shallowest and the deepest");
}

constexpr std::string_view kSoon[] = {"call_soon"};
constexpr std::string_view kCancel[] = {"call_soon", "Handle.cancel"};
constexpr std::string_view kMixed[] = {"call_soon", "call_later", "add_reader",
                                       "call_soon_threadsafe"};
constexpr std::string_view kOrder[] = {"call_soon", "call_later", "add_reader"};
constexpr std::string_view kErrors[] = {"call_soon", "set_exception_handler"};
constexpr std::string_view kSoonDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon";
constexpr std::string_view kCancelDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.Handle.cancel";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "sched.soon.fifo",
     .promise = "Callbacks run in the order in which they were scheduled, each exactly once.",
     .source = kSoonDoc,
     .needs = {Cap::call_soon},
     .body = fifo,
     .api = kSoon,
     .limit = kLimit},
    {.id = "sched.soon.deferred",
     .promise = "A callback never runs inside the call that schedules it, but after its siblings.",
     .source = kSoonDoc,
     .needs = {Cap::call_soon},
     .body = deferred,
     .api = kSoon,
     .limit = kLimit},
    {.id = "sched.soon.next_iteration",
     .promise = "A callback that schedules itself for ever lets readers, timers and threads in.",
     .source = kSoonDoc,
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::add_reader},
     .body = chain_lets_others_in,
     .api = kMixed,
     .limit = kLimit},
    {.id = "sched.soon.cancel_pending",
     .promise = "A cancelled callback does not run, not even one cancelled by its own batch.",
     .source = kCancelDoc,
     .needs = {Cap::call_soon},
     .body = cancel_pending,
     .api = kCancel,
     .limit = kLimit},
    {.id = "sched.soon.cancel_self_while_running",
     .promise = "A callback may cancel its own handle; what it holds lives until it returns.",
     .source = kCancelDoc,
     .needs = {Cap::call_soon},
     .body = cancel_running,
     .severity = Severity::edge,
     .api = kCancel,
     .limit = kLimit},
    {.id = "sched.handle.cancel_late",
     .promise = "Cancelling a callback that ran or was cancelled before has no effect.",
     .source = kCancelDoc,
     .needs = {Cap::call_soon},
     .body = cancel_late,
     .severity = Severity::common,
     .api = kCancel,
     .limit = kLimit},
    {.id = "sched.soon.exception_isolated",
     .promise = "An exception in a callback goes to the handler, and later callbacks still run.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#error-handling-api",
     .needs = {Cap::call_soon, Cap::exception_handler},
     .body = exception_isolated,
     .api = kErrors,
     .limit = kLimit},
    {.id = "sched.order.io_vs_ready",
     .promise = "Within one iteration the queue, I/O and timers run in asyncio's order.",
     .source = "CPython Lib/asyncio/base_events.py, BaseEventLoop._run_once",
     .needs = {Cap::call_soon, Cap::call_later, Cap::add_reader},
     .body = order_of_sources,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kOrder,
     .limit = kLimit},
    {.id = "sched.nested_data",
     .promise = "Callbacks that schedule each other, 20 000 deep, use constant stack.",
     .source = "libuv test/test-list.h, callback_stack",
     .needs = {Cap::call_soon},
     .body = no_recursion,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSoon,
     .limit = std::chrono::seconds(20)},
};

}  // namespace

extern const ScenarioFile file{"A2", "Scheduling", kScenarios};

}  // namespace loopscope::scenarios::sched_soon
