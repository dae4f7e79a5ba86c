// Lifecycle: running a loop, stopping it and running it again.
#include <stdexcept>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "loops/current.hpp"

namespace loopscope::scenarios::life_running {
namespace {

using namespace std::chrono_literals;

void pre_stopped(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_later(1h, [&] { cx.mark("timer of an hour"); });
  loop.call_soon([&] {
    cx.mark("queued");
    loop.call_soon([&] { cx.mark("queued by a callback"); });
  });
  loop.stop();
  cx.run_forever();
  cx.mark("returned");
  cx.expect_trace({"queued", "returned"});
}

void batch_finishes(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] { cx.mark("A stops"), loop.stop(); });
  loop.call_soon([&] { cx.mark("B"); });
  loop.call_soon([&] {
    cx.mark("C");
    loop.call_soon([&] { cx.mark("D"); });
  });
  cx.run_forever();
  cx.mark("returned");
  cx.run_once();
  cx.expect_trace({"A stops", "B", "C", "returned", "D"});
}

void stop_from_thread(Context& cx) {
  EventLoop& loop = cx.loop();
  when_parked(cx, [&] { loop.call_soon_threadsafe([&] { cx.mark("stopped"), loop.stop(); }); });
  cx.run_forever();
  cx.is_true(!loop.is_running(), "the loop has stopped");
  cx.expect_trace({"stopped"});
}

Coro<int> answer(Context& cx) {
  cx.is_true(running_loop() == &cx.loop(), "the coroutine runs inside the loop");
  co_return 42;
}
Coro<int> explosion() {
  throw std::runtime_error("boom");
  co_return 0;
}

void outcome_of_a_run(Context& cx) {
  EventLoop& loop = cx.loop();
  const Result<int> got = loop.run_until_complete(answer(cx));
  cx.ok(got, "run_until_complete of a coroutine that returns");
  cx.equal(*got, 42, "its result");
  auto future = loop.create_future<int>();
  loop.call_soon([&] { future.set_result(7); });
  cx.equal(loop.run_until_complete(future).value(), 7, "the result of a future");
  try {
    (void)loop.run_until_complete(explosion());  // throws
  } catch (const std::runtime_error& error) {
    cx.mark(error.what());
  }
  cx.expect_trace({"boom"});
}

void stopped_early(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<void>();
  TimerHandle result = loop.call_later(500ms, [&] { future.set_result(); });
  loop.call_soon([&] { loop.stop(); });
  cx.refused(loop.run_until_complete(future), Errc::stopped_early, "a run that stop() ended");
  cx.is_true(!future.done(), "the future is still pending");
  result.cancel();  // It was far enough away not to be due on a slow machine; none waits for it.
  loop.call_soon([&] { future.set_result(); });
  cx.ok(loop.run_until_complete(future), "a second run until the same future is done");
}

void nested_run(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] {
    cx.refused(loop.run_forever(), "run_forever inside a callback of the same loop");
    auto future = loop.create_future<void>();
    cx.refused(loop.run_until_complete(future), "run_until_complete inside a callback");
    cx.is_true(loop.is_running(), "the outer run is still running");
    cx.mark("refused");
  });
  loop.call_soon([&] { cx.mark("the outer run goes on"), loop.stop(); });
  cx.run_forever();
  cx.expect_trace({"refused", "the outer run goes on"});
}

void second_loop(Context& cx) {
  EventLoop& outer = cx.loop();
  const std::unique_ptr<EventLoop> inner = cx.new_loop();
  inner->call_soon([&] { inner->stop(); });
  outer.call_soon([&] {
    cx.refused(inner->run_forever(), "run_forever of another loop inside a callback");
    cx.is_true(running_loop() == &outer, "the running loop of this thread is the outer one");
    cx.mark("refused");
  });
  outer.call_soon([&] { cx.mark("the outer run goes on"), outer.stop(); });
  cx.run_forever();
  cx.is_true(running_loop() == nullptr, "after the run no loop is running");
  cx.expect_trace({"refused", "the outer run goes on"});
}

void restarts(Context& cx) {
  EventLoop& loop = cx.loop();
  auto [subject, peer] = cx.stream_pair();
  int reads = 0;
  cx.ok(loop.add_reader(subject, [&] { ++reads; }), "add_reader");
  loop.call_later(10ms, [&] { cx.mark("timer of the first run"); });
  peer.send("x");  // nobody reads it: the descriptor stays ready
  for (int i = 0; i < 50; ++i) cx.run_once();
  cx.at_least(reads, 50, "calls of the reader in 50 runs");
  cx.ok(loop.remove_reader(subject), "remove_reader");
  loop.call_later(40ms, [&] { cx.mark("end"), loop.stop(); });
  cx.run_forever();
  cx.expect_trace({"timer of the first run", "end"});
}

struct Quit final : ExitException {
  const char* reason() const noexcept override { return "quit"; }
};

void exit_escapes(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { cx.mark("handler"); });
  loop.call_soon([] { throw Quit(); });
  loop.call_soon([&] { cx.mark("behind it"); });
  loop.call_soon([&] { loop.stop(); });
  try {
    (void)loop.run_forever();  // throws
  } catch (const Quit&) {
    cx.mark("escaped");
  }
  cx.is_true(!loop.is_running(), "the loop has stopped");
  cx.run_once();
  cx.expect_trace({"escaped", "behind it"});
}

void idle_loop_blocks(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.thread([&] {
    let_pass(200ms);
    loop.call_soon_threadsafe([&] { loop.stop(); });
  });
  const std::uint64_t waits = cx.waits();
  const Duration cpu = cx.thread_cpu_time();
  cx.run_forever();
  cx.at_most(cx.waits() - waits, 5u, "waits of a loop that has nothing to do for 200 ms");
  cx.at_most(cx.thread_cpu_time() - cpu, Duration(25ms), "CPU time of a loop with nothing to do");
}

void observed_state(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.is_true(!loop.is_running() && !loop.is_closed(), "a new loop neither runs nor is closed");
  loop.call_soon([&] {
    cx.is_true(loop.is_running() && !loop.is_closed(), "inside a callback the loop runs");
    loop.stop();
    cx.is_true(loop.is_running(), "after stop() the loop runs to the end of its iteration");
  });
  cx.run_forever();
  cx.is_true(!loop.is_running() && !loop.is_closed(), "after the run it does not");
  cx.ok(loop.close(), "close");
  cx.is_true(!loop.is_running() && loop.is_closed(), "after close() it is closed");
}

constexpr std::string_view kRun[] = {"run_forever", "stop"};
constexpr std::string_view kRunThreadsafe[] = {"run_forever", "stop", "call_soon_threadsafe"};
constexpr std::string_view kRunUntil[] = {"run_until_complete", "stop"};
constexpr std::string_view kNested[] = {"run_forever", "run_until_complete", "is_running"};
constexpr std::string_view kSecond[] = {"run_forever", "get_running_loop", "new_event_loop"};
constexpr std::string_view kState[] = {"is_running", "is_closed", "close"};
constexpr std::string_view kRunDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_forever";
constexpr std::string_view kRunUntilDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_until_complete";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "life.run.pre_stopped",
     .promise = "After stop(), run_forever() makes one iteration without blocking and returns.",
     .source = kRunDoc,
     .needs = {Cap::call_soon, Cap::call_later},
     .body = pre_stopped,
     .api = kRun,
     .limit = kLimit},
    {.id = "life.stop.batch_finishes",
     .promise = "stop() lets the current batch of callbacks finish; what they schedule waits for "
                "the next run.",
     .source = kRunDoc,
     .needs = {Cap::call_soon},
     .body = batch_finishes,
     .api = kRun,
     .limit = kLimit},
    {.id = "life.stop.from_thread_unsafe",
     .promise = "stop() through call_soon_threadsafe() ends a run that waits without a timeout.",
     .source = "docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading",
     .needs = {Cap::call_soon_threadsafe},
     .body = stop_from_thread,
     .severity = Severity::common,
     .api = kRunThreadsafe,
     .limit = kLimit},
    {.id = "life.run_until_complete.outcome",
     .promise = "run_until_complete() gives the future's result or raises its exception.",
     .source = kRunUntilDoc,
     .needs = {Cap::call_soon, Cap::futures},
     .body = outcome_of_a_run,
     .api = kRunUntil,
     .limit = kLimit},
    {.id = "life.run_until_complete.stopped_early",
     .promise = "A stop() before the future is done is an error, and the future stays pending.",
     .source = "CPython Lib/test/test_asyncio/test_events.py, test_run_until_complete_stopped",
     .needs = {Cap::call_soon, Cap::call_later, Cap::futures},
     .body = stopped_early,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kRunUntil,
     .limit = kLimit},
    {.id = "life.run_until_complete.nested",
     .promise = "A loop that runs refuses to be run from its own callback, and goes on.",
     .source = "docs.python.org/3/library/asyncio-runner.html#asyncio.run (cannot be called when "
               "another event loop is running in the same thread)",
     .needs = {Cap::call_soon, Cap::futures},
     .body = nested_run,
     .api = kNested,
     .limit = kLimit},
    {.id = "life.run.second_loop_same_thread",
     .promise = "A loop refuses to run inside a callback of another one, which stays the thread's "
                "running loop.",
     .source = "docs.python.org/3/library/asyncio-runner.html#asyncio.run (cannot be called when "
               "another event loop is running in the same thread)",
     .needs = {Cap::call_soon},
     .body = second_loop,
     .severity = Severity::common,
     .api = kSecond,
     .limit = kLimit},
    {.id = "life.restart.after_stop",
     .promise = "A stopped loop runs again; its readers and timers survive between runs.",
     .source = kRunDoc,
     .needs = {Cap::call_soon, Cap::call_later, Cap::add_reader},
     .body = restarts,
     .api = kRun,
     .limit = kLimit},
    {.id = "life.baseexception.escapes",
     .promise = "An exit exception leaves run_forever(), and the callbacks behind it are kept.",
     .source = "CPython Lib/test/test_asyncio/test_base_events.py, "
               "test_run_forever_keyboard_interrupt",
     .needs = {Cap::call_soon, Cap::exception_handler},
     .body = exit_escapes,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kRun,
     .limit = kLimit},
    {.id = "life.empty.blocks_not_spins",
     .promise = "A loop with nothing to do blocks: few waits and hardly any CPU time.",
     .source = kRunDoc,
     .needs = {Cap::call_soon_threadsafe},
     .body = idle_loop_blocks,
     .api = kRunThreadsafe,
     .limit = kLimit},
    {.id = "life.state.observed",
     .promise = "is_running() is true during a run alone, is_closed() after close() alone.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.is_running",
     .needs = {Cap::call_soon},
     .body = observed_state,
     .api = kState,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A1", "Lifecycle", kScenarios};

}  // namespace loopscope::scenarios::life_running
