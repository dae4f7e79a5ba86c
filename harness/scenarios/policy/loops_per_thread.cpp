// Loops per thread: which loop runs where, loops in workers, between threads and after a fork.
#include <memory>
#include <thread>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/tools/forked.hpp"
#include "loops/current.hpp"

namespace loopscope::scenarios::loops_per_thread {
namespace {

using namespace std::chrono_literals;

void running_is_per_thread(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.refused(get_running_loop(), "get_running_loop() outside of a run");
  loop.call_soon([&] {
    cx.is_true(running_loop() == &loop, "the running loop inside a callback");
    cx.thread([&] {
      cx.refused(get_running_loop(), "get_running_loop() in another thread meanwhile");
      loop.call_soon_threadsafe([&] { loop.stop(); });
    });
  });
  cx.run_forever();
  cx.join_threads();
  cx.refused(get_running_loop(), "get_running_loop() after the run");
}

void loop_in_worker(Context& cx) {
  cx.thread([&] {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    auto [subject, peer] = cx.stream_pair();
    cx.ok(loop->add_reader(subject,
                           [&] {
                             cx.mark("reader");
                             (void)loop->remove_reader(subject);  // Registered: it just ran.
                             loop->call_later(2ms, [&] { cx.mark("timer"), loop->stop(); });
                           }),
          "add_reader");
    loop->call_soon([&] {
      cx.is_true(running_loop() == loop.get(), "the running loop of the worker");
      cx.mark("callback");
      peer.send("x");
    });
    cx.ok(loop->run_forever(), "run_forever in a worker");
    cx.ok(loop->close(), "close in a worker");
  });
  cx.join_threads();
  cx.expect_trace({"callback", "reader", "timer"});
}

void two_loops(Context& cx) {
  constexpr int kCalls = 10'000;
  EventLoop& mine = cx.loop();
  const std::unique_ptr<EventLoop> theirs = cx.new_loop();
  int here = 0, there = 0;
  std::function<void()> pong = [&] {
    if (++here == kCalls) {
      theirs->call_soon_threadsafe([&] { theirs->stop(); });
      return mine.stop();
    }
    theirs->call_soon_threadsafe([&] {
      ++there;
      mine.call_soon_threadsafe([&] { pong(); });
    });
  };
  mine.call_soon([&] { pong(); });
  cx.thread([&] { cx.ok(theirs->run_forever(), "run_forever of the other loop"); });
  cx.run_forever();
  cx.join_threads();
  cx.equal(there, kCalls - 1, "calls that the other loop received");
  cx.ok(theirs->close(), "close of the other loop");
}

void moved_between_threads(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] { cx.mark("first thread"), loop.stop(); });
  cx.run_forever();
  Result<void> ran;
  cx.thread([&] {
    loop.call_later(1ms, [&] { cx.mark("second thread"), loop.stop(); });
    ran = loop.run_forever();
  });
  cx.join_threads();
  if (!ran.ok()) cx.diverges("bound to one thread", "a run", to_string(ran.error()));
  cx.expect_trace({"first thread", "second thread"});
}

/// What a forked child of a running loop finds: 0 when all is in order.
int child_of_a_run(Context& cx) {
  if (running_loop() != nullptr) return 1;
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
  if (!made.ok()) return 2;
  EventLoop& loop = **made;
  bool timed = false, posted = false;
  loop.call_later(1ms, [&] {
    timed = true;
    loop.call_soon_threadsafe([&] { posted = true, loop.stop(); });
  });
  if (!loop.run_forever().ok()) return 3;
  if (!timed || !posted) return 4;
  return loop.close().ok() ? 0 : 5;
}

void new_after_fork(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] {
    cx.equal(tools::in_forked_child([&] { return child_of_a_run(cx); }), 0,
             "a child without a running loop, that makes and runs one of its own");
    when_parked(cx, [&] {
      loop.call_soon_threadsafe([&] { cx.mark("the parent's loop goes on"), loop.stop(); });
    });
  });
  cx.run_forever();
  cx.expect_trace({"the parent's loop goes on"});
}

constexpr std::string_view kRunning[] = {"get_running_loop"};
constexpr std::string_view kWorker[] = {"new_event_loop", "run_forever", "add_reader"};
constexpr std::string_view kTwo[] = {"call_soon_threadsafe", "new_event_loop"};
constexpr std::string_view kMove[] = {"run_forever"};
constexpr std::string_view kFork[] = {"get_running_loop", "new_event_loop"};
constexpr std::chrono::milliseconds kLimit{4'000};
// Twenty thousand wake-ups of threads: slow under an emulator.
constexpr std::chrono::milliseconds kLongLimit{20'000};

constexpr Scenario kScenarios[] = {
    {.id = "policy.thread_local_running",
     .promise = "The running loop is that of the calling thread, and there is none outside a run.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.get_running_loop",
     .needs = {Cap::call_soon, Cap::call_soon_threadsafe},
     .body = running_is_per_thread,
     .api = kRunning,
     .limit = kLimit},
    {.id = "policy.loop_in_worker",
     .promise = "A loop made in a worker thread runs callbacks, readers and timers there.",
     .source = "docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading",
     .needs = {Cap::call_soon, Cap::call_later, Cap::add_reader},
     .body = loop_in_worker,
     .api = kWorker,
     .limit = kLimit},
    {.id = "policy.two_loops_interplay",
     .promise = "Two loops in two threads call each other 10 000 times without a deadlock.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.call_soon_threadsafe",
     .needs = {Cap::call_soon, Cap::call_soon_threadsafe},
     .body = two_loops,
     .severity = Severity::common,
     .api = kTwo,
     .limit = kLongLimit},
    {.id = "policy.move_between_threads",
     .promise = "A loop that was stopped runs on in another thread, or says that it cannot.",
     .source = "man 2 io_uring_setup, IORING_SETUP_SINGLE_ISSUER (loops that cannot)",
     .needs = {Cap::call_soon, Cap::call_later},
     .body = moved_between_threads,
     .level = Level::info,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kMove,
     .limit = kLimit},
    {.id = "policy.new_after_fork",
     .promise = "A child forked from a callback has no running loop, and can make its own.",
     .source = "github.com/python/cpython/issues/66285",
     .needs = {Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe, Cap::native_socket},
     .body = new_after_fork,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kFork,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A22", "Loops per thread", kScenarios};

}  // namespace loopscope::scenarios::loops_per_thread
