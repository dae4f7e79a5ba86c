// run_in_executor: outcomes, cancellation, shutdown, and jobs that outlive their loop.
#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/busy_pool.hpp"
#include "harness/scenarios/moments.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/forked.hpp"

namespace loopscope::scenarios::exec_jobs {
namespace {

using namespace std::chrono_literals;

void result_and_error(Context& cx) {
  EventLoop& loop = cx.loop();
  const auto here = std::this_thread::get_id();
  std::thread::id worker, told;
  auto job = loop.run_in_executor([&] { return worker = std::this_thread::get_id(), 42; });
  job.add_done_callback([&] { told = std::this_thread::get_id(); });
  cx.equal(await_outcome(cx, job).value(), 42, "the value of the job");
  cx.is_true(worker != here, "the job ran in another thread");
  cx.is_true(run_patiently(cx, [&] { return told != std::thread::id(); }), "its end is told");
  cx.is_true(told == here, "its end was told in the loop's thread");
  auto failing = loop.run_in_executor([] { throw std::runtime_error("boom"); });
  try {
    (void)await_outcome(cx, failing);  // throws
    cx.failed("an exception of the job", "boom", "success");
  } catch (const std::runtime_error& error) {
    cx.equal(std::string(error.what()), "boom", "the exception of the job");
  }
}

void cancelled_jobs(Context& cx) {
  std::atomic<bool> ran{false};
  BusyPool busy(cx, 1);
  auto queued = cx.loop().run_in_executor([&ran] { ran = true; });
  cx.is_true(queued.cancel(), "a queued job takes the cancellation");
  cx.is_true(busy.jobs.front().cancel(), "the future of a running job takes it as well");
  cx.refused(outcome(cx, queued, "the queued job's future"), Errc::cancelled, "the queued job");
  cx.refused(outcome(cx, busy.jobs.front(), "the running job's future"), Errc::cancelled,
             "the running job");
  busy.release();
  auto last = cx.loop().run_in_executor([] {});  // behind both, in the one thread
  cx.ok(await_outcome(cx, last), "a job after the cancelled ones");
  cx.is_true(!ran, "a job that was cancelled in the queue never runs");
}

void done_after_close(Context& cx) {
  std::latch go(1), ended(1);
  std::unique_ptr<EventLoop> loop = cx.new_loop();
  std::vector<std::string> lines;
  loop->set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  const std::shared_ptr<Executor> pool = make_thread_pool(1);
  auto future = loop->run_in_executor([&] { go.wait(), ended.count_down(); }, pool);
  auto failing = loop->run_in_executor([] { throw std::runtime_error("boom"); }, pool);
  future.add_done_callback([&] { cx.mark("a callback of a closed loop ran"); });
  cx.ok(loop->close(), "close() with a job under way");
  go.count_down();
  ended.wait();
  cx.is_true(pool->shutdown(std::nullopt), "the pool's threads end");
  loop.reset();
  cx.expect_trace({});
  cx.equal(lines, std::vector<std::string>{}, "lines that the closed loop logged");
}

void own_pool_after_close(Context& cx) {
  const std::size_t before = tools::thread_count();
  std::latch go(1);
  std::atomic<int> ended{0};
  {
    const std::unique_ptr<EventLoop> loop = cx.new_loop();
    (void)loop->run_in_executor([&] { go.wait(), ++ended; });  // Nobody hears of either.
    (void)loop->run_in_executor([&] { go.wait(), ++ended; });
    cx.ok(loop->close(), "close() with two jobs of the default executor under way");
    cx.equal(ended.load(), 0, "jobs that close() waited for");
    go.count_down();
  }
  cx.equal(ended.load(), 2, "jobs that have run when the loop is gone");
  cx.equal(tools::thread_count(), before, "threads when the loop is gone");
}

void shutdown_waits(Context& cx) {
  EventLoop& loop = cx.loop();
  BusyPool busy(cx, 2);
  std::atomic<bool> ran{false};
  auto queued = loop.run_in_executor([&ran] { ran = true; });
  auto down = loop.shutdown_default_executor();
  cx.refused(loop.run_in_executor([] {}).result(), Errc::closed, "a job after the shutdown");
  turn(cx, 50);  // The loop is not blocked meanwhile.
  cx.is_true(!down.done(), "the shutdown waits while jobs run");
  busy.release();
  cx.ok(await_outcome(cx, down), "shutdown_default_executor()");
  cx.is_true(ran, "work that was queued before has run");
  cx.ok(await_outcome(cx, queued), "and its future says so");
}

void shutdown_timeout(Context& cx) {
  std::vector<std::string> lines;
  cx.loop().set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  BusyPool busy(cx, 1);
  const TimePoint begin = now();
  auto down = cx.loop().shutdown_default_executor(20ms);
  cx.ok(await_outcome(cx, down), "a shutdown whose timeout passes");
  cx.not_before(now(), begin + 20ms, "the end of a shutdown with a timeout of 20 ms");
  cx.equal(lines.size(), 1u, "warnings about threads that did not end in time");
  busy.release();
}

void saturation_isolated(Context& cx) {
  EventLoop& loop = cx.loop();
  BusyPool busy(cx, 2);
  auto waiting = loop.run_in_executor([] {});
  auto [subject, peer] = cx.stream_pair();
  bool fired = false;
  loop.call_later(1ms, [&] { fired = true; });
  cx.is_true(run_patiently(cx, [&] { return fired; }), "a timer fires");
  peer.send("x");
  auto received = loop.sock_recv(subject, 16);
  cx.equal(text(await_outcome(cx, received).value()), "x", "bytes that are received");
  Peer listener = cx.tcp_listener();
  auto socket = ours(os::open_socket(AddressFamily::ipv4, SocketType::stream));
  Socket client(std::move(socket));
  auto connected = loop.sock_connect(client, cx.address_of(listener));
  cx.ok(await_outcome(cx, connected), "a connection to a numeric address");
  cx.is_true(!waiting.done(), "all that while the executor had no thread to spare");
  busy.release();
  cx.ok(await_outcome(cx, waiting), "the job that waited");
}

void multiple_loops(Context& cx) {
  constexpr int kJobs = 200;
  const std::shared_ptr<Executor> pool = make_thread_pool(4);
  std::latch both(2);  // or one might be through before the other begins
  const auto work = [&](EventLoop& loop) {
    both.arrive_and_wait();
    const auto here = std::this_thread::get_id();
    for (int i = 0; i < kJobs; ++i) {
      auto job = loop.run_in_executor([i] { return i; }, pool);
      bool at_home = false;
      job.add_done_callback([&] { at_home = std::this_thread::get_id() == here; });
      cx.equal(loop.run_until_complete(job).value(), i, "the value of a job");
      cx.is_true(at_home, "the job's end is told in the thread of its loop");
    }
  };
  cx.thread([&] {
    const std::unique_ptr<EventLoop> other = cx.new_loop();
    work(*other);
    cx.ok(other->close(), "close");
  });
  work(cx.loop());
  cx.join_threads();
}

/// 0 when the pools that a forked child inherits, and those that it makes, do their work there.
int child_with_pools(Context& cx, const std::shared_ptr<Executor>& inherited) {
  Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
  if (!made.ok()) return 1;
  EventLoop& loop = **made;
  if (loop.run_until_complete(loop.run_in_executor([] { return 1; })).value() != 1) return 2;
  auto job = loop.run_in_executor([] { return 2; }, inherited);
  if (loop.run_until_complete(job).value() != 2) return 3;
  if (!inherited->shutdown(std::nullopt)) return 4;
  return loop.close().ok() ? 0 : 5;
}

void after_fork(Context& cx) {
  if (kThreadSanitizer) cx.skip("ThreadSanitizer knows no threads in a child of threads");
  const std::shared_ptr<Executor> pool = make_thread_pool(2);
  auto before = cx.loop().run_in_executor([] { return 1; }, pool);
  cx.equal(await_outcome(cx, before).value(), 1, "a job before the fork");
  cx.equal(tools::in_forked_child([&] { return child_with_pools(cx, pool); }), 0,
           "a child whose pools work, an inherited one among them");
  auto after = cx.loop().run_in_executor([] { return 2; }, pool);
  cx.equal(await_outcome(cx, after).value(), 2, "a job of the parent after the fork");
}

/// An executor that does the work at once, in the caller's thread, and counts.
class Immediate final : public Executor {
 public:
  Result<std::uint64_t> submit(Callback work) override {
    work();
    return ++count;
  }
  bool cancel(std::uint64_t) override { return false; }
  bool shutdown(std::optional<Duration>) override { return true; }
  std::uint64_t count = 0;
};

void default_executor_is_set(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.refused(loop.set_default_executor(nullptr), Errc::invalid_argument, "no executor at all");
  const auto mine = std::make_shared<Immediate>();
  cx.ok(loop.set_default_executor(mine), "set_default_executor");
  auto job = loop.run_in_executor([] { return 7; });
  cx.equal(await_outcome(cx, job).value(), 7, "the value of a job");
  cx.equal(mine->count, 1u, "jobs that the executor of the caller's got");
}

constexpr std::string_view kRun[] = {"run_in_executor"};
constexpr std::string_view kClose[] = {"run_in_executor", "close"};
constexpr std::string_view kShutdown[] = {"shutdown_default_executor", "run_in_executor"};
constexpr std::string_view kSet[] = {"set_default_executor", "run_in_executor"};
constexpr std::string_view kRunDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor";
constexpr std::string_view kShutdownDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_default_executor";
constexpr std::string_view kCloseDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.close";
constexpr CapSet kNeeds{Cap::call_soon, Cap::futures, Cap::run_in_executor};
constexpr CapSet kTimed = kNeeds | CapSet{Cap::call_later};
constexpr std::chrono::milliseconds kLimit{6'000};

constexpr Scenario kScenarios[] = {
    {.id = "exec.result_and_error",
     .promise = "A job runs in another thread; its value or exception comes back in the loop's.",
     .source = kRunDoc,
     .needs = kTimed,
     .body = result_and_error,
     .api = kRun,
     .limit = kLimit},
    {.id = "exec.cancel",
     .promise = "Cancelling a queued job prevents it; the future of a running one ends at once.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_events.py, "
               "test_run_in_executor_cancel",
     .needs = kTimed,
     .body = cancelled_jobs,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kRun,
     .limit = kLimit},
    {.id = "exec.done_after_close",
     .promise = "A job that ends after its loop was closed, and is gone, is not heard of.",
     .source = "github.com/python/cpython/issues/96827",
     .needs = kNeeds,
     .body = done_after_close,
     .authority = Authority::de_facto,
     .api = kClose,
     .limit = kLimit},
    {.id = "exec.done_after_close.joined",
     .promise = "close() does not wait for jobs of the default executor; no thread outlives the "
                "loop.",
     .source = kCloseDoc,
     .needs = kNeeds,
     .body = own_pool_after_close,
     .severity = Severity::common,
     .api = kClose,
     .limit = std::chrono::milliseconds(3'000)},
    {.id = "exec.shutdown_waits",
     .promise = "The shutdown of the default executor refuses new work, waits for what it has, and "
                "does not block the loop.",
     .source = kShutdownDoc,
     .needs = kTimed,
     .body = shutdown_waits,
     .severity = Severity::common,
     .api = kShutdown,
     .limit = kLimit},
    {.id = "exec.shutdown_timeout",
     .promise = "A shutdown whose timeout passes ends then, and says that threads were left.",
     .source = kShutdownDoc,
     .needs = kTimed,
     .body = shutdown_timeout,
     .severity = Severity::common,
     .api = kShutdown,
     .limit = kLimit},
    {.id = "exec.saturation_isolated",
     .promise = "Jobs that block delay neither timers nor transfers nor numeric connections.",
     .source = kRunDoc,
     .needs = kTimed | CapSet{Cap::sock_stream},
     .body = saturation_isolated,
     .severity = Severity::common,
     .api = kRun,
     .limit = kLimit},
    {.id = "exec.multiple_loops",
     .promise = "Outcomes of a pool that two loops share go to the loop that asked.",
     .source = "github.com/libuv/libuv/blob/v1.x/test/test-threadpool.c, "
               "threadpool_multiple_event_loops",
     .needs = kNeeds,
     .body = multiple_loops,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kRun,
     .limit = kLimit},
    {.id = "exec.after_fork",
     .promise = "Pools work in a forked child, one that it inherited included.",
     .source = "github.com/libuv/libuv/blob/v1.x/test/test-fork.c, "
               "fork_threadpool_queue_work_simple",
     .needs = kTimed | CapSet{Cap::native_socket},
     .body = after_fork,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kRun,
     .limit = kLimit},
    {.id = "exec.set_default",
     .promise = "Jobs without an executor go to the one that was set as the default.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html"
               "#asyncio.loop.set_default_executor",
     .needs = kTimed,
     .body = default_executor_is_set,
     .severity = Severity::common,
     .api = kSet,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A19", "Executor", kScenarios};
}  // namespace loopscope::scenarios::exec_jobs
