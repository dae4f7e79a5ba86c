// Wake-up: callbacks from other threads arrive, in order, none lost, and without blocking anyone.
#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/moments.hpp"

namespace loopscope::scenarios::wake_threadsafe {
namespace {

using namespace std::chrono_literals;

/// A number that one thread raises and another waits for.
class Counter {
 public:
  void raise() {
    const std::lock_guard lock(mutex_);
    ++value_;
    changed_.notify_all();
  }
  void await(int value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return value_ >= value; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int value_ = 0;
};

void parked(Context& cx) {
  EventLoop& loop = cx.loop();
  HostControl control(5ms);
  TimePoint posted, ran;
  when_parked(cx, [&] {
    posted = now();
    cx.ok(loop.call_soon_threadsafe([&] { ran = now(), loop.stop(); }), "call_soon_threadsafe");
  });
  cx.run_forever();
  cx.soon_after(ran, posted, control, "the callback of a thread in a loop that waits");
}

void flood(Context& cx) {
  constexpr int kThreads = 4, kCalls = 30'000;
  EventLoop& loop = cx.loop();
  std::atomic<int> finished{0}, refused{0};
  int ran = 0;
  loop.call_soon([&] {
    for (int i = 0; i < kThreads; ++i) {
      cx.thread([&] {
        for (int call = 0; call < kCalls; ++call) {
          refused += !loop.call_soon_threadsafe([&] { ran += 1; });
        }
        ++finished;
      });
    }
    while (finished < kThreads) std::this_thread::yield();  // The loop is stuck here meanwhile.
    loop.call_soon_threadsafe([&] { loop.stop(); });
  });
  cx.run_forever();
  cx.equal(refused.load(), 0, "calls that were refused");
  cx.equal(ran, kThreads * kCalls, "callbacks that ran");
}

void ping_pong(Context& cx) {
  constexpr int kRounds = 5'000;
  EventLoop& loop = cx.loop();
  Counter pings;
  int rounds = 0;
  cx.thread([&] {
    for (int i = 1; i <= kRounds; ++i) {
      loop.call_soon_threadsafe([&] {
        ++rounds;
        pings.raise();
      });
      pings.await(i);
    }
    loop.call_soon_threadsafe([&] { loop.stop(); });
  });
  cx.run_forever();
  cx.equal(rounds, kRounds, "round trips between a thread and the loop");
}

void order_per_thread(Context& cx) {
  constexpr int kThreads = 3, kCalls = 4'000;
  EventLoop& loop = cx.loop();
  std::vector<std::vector<int>> seen(kThreads);
  std::size_t left = kThreads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    cx.thread([&, thread] {
      for (int i = 0; i < kCalls; ++i) {
        loop.call_soon_threadsafe([&seen, thread, i] { seen[thread].push_back(i); });
      }
      loop.call_soon_threadsafe([&] {
        if (--left == 0) loop.stop();
      });
    });
  }
  cx.run_forever();
  cx.run_once();
  for (const std::vector<int>& calls : seen) {
    cx.equal(calls.size(), kCalls, "callbacks of one thread that ran");
    cx.is_true(std::is_sorted(calls.begin(), calls.end()), "they ran in the order of the calls");
  }
}

void same_thread(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] {
    loop.call_soon_threadsafe([&] {
      cx.mark("threadsafe");
      loop.call_soon_threadsafe([&] { cx.mark("nested"), loop.stop(); });
      cx.mark("scheduled");
    });
    cx.mark("callback");
  });
  cx.run_forever();
  cx.expect_trace({"callback", "threadsafe", "scheduled", "nested"});
}

void before_run(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.thread([&] {
    loop.call_soon_threadsafe([&] { cx.mark("first"); });
    loop.call_soon_threadsafe([&] { cx.mark("second"); });
  });
  cx.join_threads();
  loop.call_later(10ms, [&] { loop.stop(); });
  cx.run_forever();
  cx.expect_trace({"first", "second"});
}

void close_race(Context& cx) {
  constexpr int kThreads = 4, kWaiting = 200;
  EventLoop& loop = cx.loop();
  const auto token = std::make_shared<int>(0);  // its owners are the callbacks that wait
  std::atomic<int> started{0};
  std::atomic<bool> done{false};
  for (int i = 0; i < kThreads; ++i) {
    cx.thread([&] {
      ++started;
      while (!done) {
        if (token.use_count() > kWaiting) std::this_thread::yield();
        if (token.use_count() <= kWaiting) (void)loop.call_soon_threadsafe([token] {});
      }
    });
  }
  while (started < kThreads) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) cx.run_once();
  const Result<void> closed = loop.close();
  std::vector<StreamPair> strangers;  // They get the numbers that the loop gave back.
  for (int i = 0; i < 6; ++i) strangers.push_back(cx.stream_pair());
  let_pass(20ms);
  done = true;
  cx.join_threads();
  cx.ok(closed, "close() while threads call");
  cx.refused(loop.call_soon_threadsafe([] {}).accepted(), Errc::closed, "a call after close()");
  for (StreamPair& stranger : strangers) {
    std::array<std::byte, 1> stray;
    const Result<os::Transfer> got = os::recv(stranger.subject.native(), stray);
    cx.is_true(got.ok() && !*got, "a stranger's socket has nothing to read");
    stranger.subject.close();
    cx.equal(text(stranger.peer.recv_until_eof()), "", "bytes in a stranger's socket");
  }
}

void cancel_from_thread(Context& cx) {
  constexpr std::size_t kCalls = 4'000;
  EventLoop& loop = cx.loop();
  std::vector<unsigned char> ran(kCalls), prevented(kCalls);
  cx.thread([&] {
    for (std::size_t i = 0; i < kCalls; ++i) {
      Handle handle = loop.call_soon_threadsafe([&ran, i] { ++ran[i]; });
      prevented[i] = handle.cancel();
    }
    loop.call_soon_threadsafe([&] { loop.stop(); });
  });
  cx.run_forever();
  cx.run_once();
  cx.join_threads();
  std::size_t both = 0, neither = 0;
  for (std::size_t i = 0; i < kCalls; ++i) {
    both += ran[i] != 0 && prevented[i] != 0;
    neither += ran[i] == 0 && prevented[i] == 0;
  }
  cx.note("prevented", static_cast<double>(std::ranges::count(prevented, 1)), "count");
  cx.equal(both, 0u, "callbacks that ran although cancel() was true");
  cx.equal(neither, 0u, "callbacks that did not run although cancel() was false");
}

constexpr std::string_view kApi[] = {"call_soon_threadsafe"};
constexpr std::string_view kClose[] = {"call_soon_threadsafe", "close"};
constexpr std::string_view kCancel[] = {"call_soon_threadsafe", "Handle.cancel"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::call_soon_threadsafe};
constexpr std::string_view kDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon_threadsafe";
constexpr std::chrono::milliseconds kLimit{4'000};
// Twenty thousand wake-ups of threads: slow under an emulator.
constexpr std::chrono::milliseconds kLongLimit{20'000};

constexpr Scenario kScenarios[] = {
    {.id = "wake.threadsafe.parked",
     .promise = "A callback from another thread runs soon in a loop that waits without a timeout.",
     .source = kDoc,
     .needs = kNeeds,
     .body = parked,
     .api = kApi,
     .timing = true,
     .limit = kLimit},
    {.id = "wake.threadsafe.flood_while_blocked",
     .promise = "Calls of four threads to a loop that is stuck neither block, fail nor get lost.",
     .source = kDoc,
     .needs = kNeeds,
     .body = flood,
     .api = kApi,
     .limit = kLimit},
    {.id = "wake.threadsafe.lost_wakeup_race",
     .promise = "5 000 round trips between a thread and a loop that waits each time never hang.",
     .source = kDoc,
     .needs = kNeeds,
     .body = ping_pong,
     .api = kApi,
     .limit = kLongLimit},
    {.id = "wake.threadsafe.order_per_thread",
     .promise = "The callbacks of one thread run in the order of its calls.",
     .source = kDoc,
     .needs = kNeeds,
     .body = order_per_thread,
     .api = kApi,
     .limit = kLimit},
    {.id = "wake.threadsafe.same_thread",
     .promise = "call_soon_threadsafe() works from the loop's own callbacks too.",
     .source = kDoc,
     .needs = kNeeds,
     .body = same_thread,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "wake.threadsafe.before_run",
     .promise = "What a thread scheduled before the first run is run by it.",
     .source = kDoc,
     .needs = kNeeds,
     .body = before_run,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "wake.threadsafe.close_race",
     .promise = "Threads that call while the loop closes get success or an error, and nothing is "
                "written to descriptors of others.",
     .source = kDoc,
     .needs = kNeeds,
     .body = close_race,
     .api = kClose,
     .limit = kLimit},
    {.id = "wake.cancel_from_thread",
     .promise = "A callback of another thread never runs after its cancel() was true.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.Handle.cancel",
     .needs = kNeeds,
     .body = cancel_from_thread,
     .level = Level::should,
     .severity = Severity::edge,
     .api = kCancel,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A4", "Threads and wake-up", kScenarios};

}  // namespace loopscope::scenarios::wake_threadsafe
