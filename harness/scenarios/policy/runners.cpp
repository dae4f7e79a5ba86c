// Runner and run(): a loop from its making to its orderly end.
#include <csignal>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/pause.hpp"
#include "harness/tools/signal_tools.hpp"
#include "loops/async_generator.hpp"
#include "loops/current.hpp"
#include "loops/runner.hpp"

namespace loopscope::scenarios::runners {
namespace {

using namespace std::chrono_literals;

/// Runs the subject's kind of loop.
RunOptions subjects(Context& cx) {
  RunOptions options;
  options.loop_factory = [&cx] { return cx.descriptor().make(LoopOptions{}); };
  return options;
}

Coro<int> doubled(int value) {
  auto waited = pause(*running_loop(), 1ms);
  (void)co_await waited;  // It cannot fail.
  co_return 2 * value;
}

Coro<void> throws() {
  throw std::runtime_error("boom");
  co_return;
}

void runs_once(Context& cx) {
  RunOptions options = subjects(cx);
  options.debug = true;
  std::weak_ptr<LoopLink> link;
  options.loop_factory = [&cx, &link] {
    Result<std::unique_ptr<EventLoop>> made = cx.descriptor().make(LoopOptions{});
    if (made.ok()) link = (*made)->link();
    return made;
  };
  const Result<int> result = run(doubled(21), options);
  cx.equal(result.value(), 42, "the result of the main coroutine");
  cx.is_true(link.expired() || link.lock()->loop == nullptr, "the loop is gone");
  cx.is_true(running_loop() == nullptr, "no loop runs");
  try {
    (void)run(throws(), options);  // throws
    cx.failed("an exception of the main coroutine", "boom", "success");
  } catch (const std::runtime_error& error) {
    cx.equal(std::string(error.what()), "boom", "the exception of the main coroutine");
  }
}

void runs_several(Context& cx) {
  Runner runner(subjects(cx));
  EventLoop* loop = runner.get_loop().value();
  cx.equal(runner.run(doubled(1)).value(), 2, "the first run");
  loop->call_soon([&cx] { cx.mark("left over from between the runs"); });
  cx.equal(runner.run(doubled(2)).value(), 4, "the second run");
  cx.is_true(runner.get_loop().value() == loop, "both in the same loop");
  cx.ok(runner.close(), "close");
  cx.ok(runner.close(), "a second close");
  cx.refused(runner.run(doubled(3)), Errc::closed, "a run after close");
  cx.refused(runner.get_loop(), Errc::closed, "get_loop() after close");
  cx.expect_trace({"left over from between the runs"});
}

Coro<void> waits_for_ever(Context& cx, Future<void> never) {
  const Result<void> ended = co_await never;
  cx.mark(ended.ok() ? "set" : error_name(ended.error().code));
  auto waited = pause(*running_loop(), 2ms);  // The clean-up of a cancelled task takes its time.
  (void)co_await waited;                      // It cannot fail.
  cx.mark("cleaned up");
}

Coro<void> leaves_a_task(Context& cx, std::vector<Task<void>>& kept) {
  EventLoop& loop = *running_loop();
  kept.push_back(loop.create_task(waits_for_ever(cx, loop.create_future<void>())));
  auto waited = pause(loop, 1ms);
  (void)co_await waited;  // It cannot fail.
  cx.mark("main ends");
}

void close_cancels_tasks(Context& cx) {
  std::vector<Task<void>> kept;
  Runner runner(subjects(cx));
  EventLoop* loop = runner.get_loop().value();
  loop->set_exception_handler([&cx](EventLoop&, const ExceptionContext& context) {
    cx.mark("reported: " + context.message);
  });
  cx.ok(runner.run(leaves_a_task(cx, kept)), "run");
  cx.is_true(!kept.front().done(), "the task outlives the main coroutine");
  cx.ok(runner.close(), "close");
  cx.is_true(kept.front().done(), "close() waits for the task that it cancelled");
  cx.expect_trace({"main ends", "cancelled", "cleaned up"});
}

struct Witness {
  Context& cx;
  ~Witness() { cx.mark("generator ended"); }
};
AsyncGenerator<int> numbers(Context& cx) {
  const Witness witness{cx};
  for (int i = 0;; ++i) co_yield i;
}

Coro<void> begins_generator(AsyncGenerator<int>& generator, std::latch& go, Context& cx) {
  auto step = generator.next();
  const Result<std::optional<int>> first = co_await step;
  cx.equal(first->value(), 0, "the first value");
  const auto work = [&go, &cx] { go.wait(), cx.mark("job done"); };
  (void)running_loop()->run_in_executor(work);  // Nobody waits for it but close().
  running_loop()->call_later(1ms, [] {});
}

void close_ends_the_rest(Context& cx) {
  std::latch go(1);
  Runner runner(subjects(cx));
  auto generator = numbers(cx);
  cx.ok(runner.run(begins_generator(generator, go, cx)), "run");
  EventLoop* loop = runner.get_loop().value();
  loop->call_later(2ms, [&go] { go.count_down(); });  // while close() waits for the job
  cx.ok(runner.close(), "close");
  cx.expect_trace({"generator ended", "job done"});
}

void nested_refused(Context& cx) {
  Result<int> nested = 0, on_its_own = 0;
  Runner other(subjects(cx));
  cx.loop().call_soon([&] {
    nested = other.run(doubled(1));
    on_its_own = run(doubled(1), subjects(cx));
    cx.refused(other.close(), Errc::invalid_state, "close() while a loop runs");
    cx.loop().call_soon([&] { cx.mark("the outer run goes on"), cx.loop().stop(); });
  });
  cx.run_forever();
  cx.refused(nested, Errc::invalid_state, "Runner.run() inside a run");
  cx.refused(on_its_own, Errc::invalid_state, "run() inside a run");
  cx.equal(other.run(doubled(4)).value(), 8, "the refused runner, afterwards");
  cx.expect_trace({"the outer run goes on"});
}

Coro<void> interrupted(Context& cx) {
  EventLoop& loop = *running_loop();
  loop.call_later(1ms, [] { tools::raise_in_process(SIGINT); });
  auto never = loop.create_future<void>();
  const Result<void> ended = co_await never;
  cx.mark(ended.ok() ? "set" : error_name(ended.error().code));
  cx.mark("SIGINT is " + tools::disposition(SIGINT) + " now");
  if (!ended.ok()) throw Failure(ended.error());
}

void interrupt_cancels(Context& cx) {
  const tools::Disposition standard(SIGINT, tools::Disposition::Kind::standard);
  const Result<void> ended = run(interrupted(cx), subjects(cx));
  cx.refused(ended, std::error_code(EINTR, errno_category()), "a run that SIGINT ended");
  cx.equal(tools::disposition(SIGINT), "default", "SIGINT after the run");
  cx.expect_trace({"cancelled", "SIGINT is default now"});
}

constexpr std::string_view kRun[] = {"run"};
constexpr std::string_view kRunner[] = {"Runner"};
constexpr std::string_view kClose[] = {"Runner", "shutdown_asyncgens", "shutdown_default_executor"};
constexpr std::string_view kBoth[] = {"Runner", "run"};
constexpr std::string_view kRunnerDoc =
    "docs.python.org/3/library/asyncio-runner.html#asyncio.Runner";
constexpr std::string_view kCloseDoc =
    "docs.python.org/3/library/asyncio-runner.html#asyncio.Runner.close";
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::futures};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "runner.run",
     .promise = "run() makes a loop, gives the main coroutine's outcome, and closes the loop.",
     .source = "docs.python.org/3/library/asyncio-runner.html#asyncio.run",
     .needs = kNeeds,
     .body = runs_once,
     .api = kRun,
     .limit = kLimit},
    {.id = "runner.several",
     .promise = "A Runner runs several coroutines in one loop, until it is closed.",
     .source = kRunnerDoc,
     .needs = kNeeds,
     .body = runs_several,
     .api = kRunner,
     .limit = kLimit},
    {.id = "runner.close.cancels_tasks",
     .promise = "Closing a Runner cancels the tasks that are left, and waits for their end.",
     .source = "docs.python.org/3/library/asyncio-runner.html#asyncio.run",
     .needs = kNeeds,
     .body = close_cancels_tasks,
     .severity = Severity::common,
     .api = kRunner,
     .limit = kLimit},
    {.id = "runner.close.ends_the_rest",
     .promise = "Closing a Runner ends async generators and waits for the default executor.",
     .source = kCloseDoc,
     .needs = kNeeds | CapSet{Cap::run_in_executor},
     .body = close_ends_the_rest,
     .severity = Severity::common,
     .api = kClose,
     .limit = kLimit},
    {.id = "runner.nested_refused",
     .promise = "run() and Runner.run() are refused while a loop runs on the thread.",
     .source = kRunnerDoc,
     .needs = kNeeds,
     .body = nested_refused,
     .severity = Severity::common,
     .api = kBoth,
     .limit = kLimit},
    {.id = "runner.interrupt",
     .promise = "SIGINT in the main thread cancels the main task; a second one ends the process.",
     .source = "docs.python.org/3/library/asyncio-runner.html#handling-keyboard-interruption",
     .needs = kNeeds | CapSet{Cap::signals, Cap::native_socket},
     .body = interrupt_cancels,
     .severity = Severity::common,
     .api = kRun,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A22", "Loops per thread", kScenarios};
}  // namespace loopscope::scenarios::runners
