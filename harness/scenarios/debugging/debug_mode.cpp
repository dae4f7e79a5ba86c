// Debug mode: what it catches, what it reports, and that it changes nothing else.
#include <algorithm>
#include <csignal>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::debug_mode {
namespace {

using namespace std::chrono_literals;

void switched(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_debug(true);
  cx.is_true(loop.get_debug(), "get_debug() after set_debug(true)");
  loop.set_debug(false);
  cx.is_true(!loop.get_debug(), "get_debug() after set_debug(false)");
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{.debug = true});
  cx.ok(made, "a loop that is made in debug mode");
  cx.is_true((*made)->get_debug(), "get_debug() of a loop made in debug mode");
  cx.ok((*made)->close(), "close");
}

void wrong_thread(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_debug(true);
  when_parked(cx, [&] {
    const auto stray = [&] { cx.mark("a stray callback ran"); };
    const Handle soon = loop.call_soon(stray);
    const Handle later = loop.call_later(0s, stray), at = loop.call_at(now(), stray);
    cx.ok(loop.call_soon_threadsafe([&] { loop.stop(); }), "call_soon_threadsafe");
    cx.refused(soon.accepted(), Errc::wrong_thread, "call_soon from a foreign thread");
    cx.refused(later.accepted(), Errc::wrong_thread, "call_later from a foreign thread");
    cx.refused(at.accepted(), Errc::wrong_thread, "call_at from a foreign thread");
  });
  cx.run_forever();
  cx.join_threads();
  cx.run_once();
  cx.expect_trace({});
}

/// Runs a callback that takes 5 ms; what the loop logs meanwhile.
std::vector<std::string> log_of_slow_callback(Context& cx, Duration threshold) {
  std::vector<std::string> lines;
  cx.loop().set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  cx.loop().set_slow_callback_duration(threshold);
  cx.loop().call_soon([] { stall(5ms); });
  cx.run_once();
  cx.loop().set_log_sink(nullptr);
  return lines;
}

void slow_callback(Context& cx) {
  cx.equal(log_of_slow_callback(cx, 2ms).size(), 0u, "reports without debug mode");
  cx.loop().set_debug(true);
  cx.equal(log_of_slow_callback(cx, 2ms).size(), 1u, "reports of a callback of 5 ms beyond 2 ms");
  cx.equal(log_of_slow_callback(cx, 1h).size(), 0u, "reports with a threshold of an hour");
  cx.equal(log_of_slow_callback(cx, Duration::max()).size(), 0u, "reports with the longest one");
}

struct Sluggish {
  void operator()() const { stall(5ms); }
};
Coro<void> crawl() {
  stall(5ms);
  co_return;
}

void slow_callback_named(Context& cx) {
  EventLoop& loop = cx.loop();
  std::vector<std::string> lines;
  loop.set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  loop.set_slow_callback_duration(2ms);
  loop.set_debug(true);
  // A busy host makes others slow too: one of the lines has to have the name.
  const auto named = [&](std::string_view word, std::string_view what) {
    const auto has = [word](const std::string& line) { return line.find(word) != line.npos; };
    if (!run_patiently(cx, [&] { return std::any_of(lines.begin(), lines.end(), has); })) {
      cx.failed(what, "a line with " + show(word), show(lines));
    }
    lines.clear();
  };
  loop.call_soon(Sluggish());
  named("Sluggish", "the report of a callback");
  loop.call_soon_threadsafe(Sluggish());
  named("Sluggish", "the report of a callback from another thread");
  loop.call_later(1ms, Sluggish());
  named("Sluggish", "the report of a timer's callback");
  const Task<void> task = loop.create_task(crawl(), {.name = "the crawler"});
  named("the crawler", "the report of a task's step");

  StreamPair pair = cx.stream_pair();
  const os::NativeSocket fd = pair.subject.native();
  cx.ok(loop.add_reader(pair.subject, [&] { stall(5ms), (void)loop.remove_reader(pair.subject); }),
        "add_reader");
  pair.peer.send("x");
  named("descriptor " + std::to_string(fd), "the report of a reader");
  cx.ok(loop.add_signal_handler(tools::kUserSignal, Sluggish()), "add_signal_handler");
  tools::raise_in_process(tools::kUserSignal);
  named("signal " + std::to_string(tools::kUserSignal), "the report of a signal's handler");

  os::Pipe pipe = cx.pipe();
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  reader.seen->on_data = Sluggish();
  lines.clear();
  ours(os::write(pipe.write.get(), view("x")));
  named("data_received", "the report of a protocol's method");
  loop.set_log_sink(nullptr);
}

void unclosed_loop(Context& cx) {
  std::vector<std::string> lines;
  {
    const std::unique_ptr<EventLoop> dropped = cx.new_loop();
    dropped->set_debug(true);
    dropped->set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  }
  cx.equal(lines.size(), 1u, "warnings about a loop that was dropped unclosed");
  {
    const std::unique_ptr<EventLoop> closed = cx.new_loop();
    closed->set_debug(true);
    closed->set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    cx.ok(closed->close(), "close");
  }
  cx.equal(lines.size(), 1u, "warnings after another loop was closed properly");
}

Coro<void> steps(EventLoop& loop, std::vector<std::string>& events, Future<int> future) {
  events.emplace_back("task begins");
  const Result<int> result = co_await future;
  events.emplace_back("task got " + std::to_string(*result));
  loop.stop();
}

/// A bit of everything on a loop of its own; what happened, in order.
std::vector<std::string> program(Context& cx, bool debug) {
  std::vector<std::string> events;
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  loop->set_debug(debug);
  loop->set_exception_handler(
      [&](EventLoop&, const ExceptionContext&) { events.emplace_back("handler"); });
  auto future = loop->create_future<int>();
  const auto task = loop->create_task(steps(*loop, events, future));
  Handle cancelled;
  loop->call_soon([&] { events.emplace_back("first"), cancelled.cancel(); });
  cancelled = loop->call_soon([&] { events.emplace_back("cancelled"); });
  loop->call_soon([] { throw std::runtime_error("boom"); });
  loop->call_soon([&] {
    events.emplace_back("second");
    loop->call_soon([&] {
      events.emplace_back("nested");
      loop->call_later(2ms, [&] { events.emplace_back("2 ms"), future.set_result(42); });
      loop->call_later(1ms, [&] { events.emplace_back("1 ms"); });
    });
  });
  cx.ok(loop->run_forever(), "run_forever");
  cx.ok(loop->close(), "close");
  return events;
}

void same_behaviour(Context& cx) {
  cx.equal(program(cx, true), program(cx, false), "events in debug mode, against those without");
}

constexpr std::string_view kSwitch[] = {"set_debug", "get_debug"};
constexpr std::string_view kThread[] = {"set_debug", "call_soon", "call_later", "call_at"};
constexpr std::string_view kSlow[] = {"set_debug", "call_soon"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::debug_mode};
constexpr std::string_view kDebugDoc = "docs.python.org/3/library/asyncio-dev.html#debug-mode";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "dbg.switch",
     .promise = "set_debug() switches debug mode on and off, and get_debug() says which it is.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_debug",
     .needs = kNeeds,
     .body = switched,
     .severity = Severity::common,
     .api = kSwitch,
     .limit = kLimit},
    {.id = "dbg.thread_check",
     .promise = "In debug mode call_soon(), call_later() and call_at() refuse a foreign thread.",
     .source = kDebugDoc,
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::debug_mode},
     .body = wrong_thread,
     .severity = Severity::common,
     .api = kThread,
     .limit = kLimit},
    {.id = "dbg.slow_callback",
     .promise = "Debug mode reports each callback that takes longer than the threshold.",
     .source = kDebugDoc,
     .needs = kNeeds,
     .body = slow_callback,
     .severity = Severity::edge,
     .api = kSlow,
     .limit = kLimit},
    {.id = "dbg.slow_callback.named",
     .promise = "The report of a slow callback names it: the callable, the task, the descriptor, "
                "the signal or the protocol's method.",
     .source = "github.com/python/cpython/blob/main/Lib/asyncio/base_events.py _format_handle",
     .needs = kNeeds | CapSet{Cap::call_later, Cap::call_soon_threadsafe, Cap::futures,
                              Cap::add_reader, Cap::signals, Cap::pipes},
     .body = slow_callback_named,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSlow,
     .limit = kLimit},
    {.id = "dbg.resource_warnings",
     .promise = "Debug mode warns about a loop that is dropped without close().",
     .source = kDebugDoc,
     .needs = kNeeds,
     .body = unclosed_loop,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kSwitch,
     .limit = kLimit},
    {.id = "dbg.no_behaviour_change",
     .promise = "The same program does the same things in debug mode.",
     .source = "uvloop CI, which runs its tests both ways",
     .needs = {Cap::call_soon, Cap::call_later, Cap::futures, Cap::exception_handler,
               Cap::debug_mode},
     .body = same_behaviour,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kSlow,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A21", "Debug mode", kScenarios};

}  // namespace loopscope::scenarios::debug_mode
