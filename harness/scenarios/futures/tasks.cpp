// Tasks: coroutines that the loop drives, their factory, and what cancelling does to them.
#include <memory>
#include <stdexcept>
#include <string>

#include "harness/scenario.hpp"
#include "loops/current.hpp"

namespace loopscope::scenarios::tasks {
namespace {

using namespace std::chrono_literals;

/// Done after `delay`, on a timer of the loop.
Future<void> after(EventLoop& loop, Duration delay) {
  Future<void> done = loop.create_future<void>();
  loop.call_later(delay, [done]() mutable { done.set_result(); });
  return done;
}
/// Done in the next iteration.
Future<void> next_turn(EventLoop& loop) {
  Future<void> done = loop.create_future<void>();
  loop.call_soon([done]() mutable { done.set_result(); });
  return done;
}

Coro<void> two_steps(Context& cx, std::string_view who) {
  cx.is_true(running_loop() == &cx.loop(), "a step of a task runs inside its loop");
  cx.mark(std::string(who) + "1");
  auto turn = next_turn(cx.loop());
  (void)co_await turn;  // It cannot fail.
  cx.mark(std::string(who) + "2");
}

void starts_soon(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.call_soon([&] { cx.mark("before"); });
  const auto task = loop.create_task(two_steps(cx, "A"));
  loop.call_soon([&] { cx.mark("behind"); });
  cx.mark("created");
  cx.is_true(!task.done(), "a new task has not begun");
  cx.ok(loop.run_until_complete(static_cast<Future<void>>(task)), "the task");
  cx.expect_trace({"created", "before", "A1", "behind", "A2"});
}

void take_turns(Context& cx) {
  EventLoop& loop = cx.loop();
  const auto a = loop.create_task(two_steps(cx, "A"));
  const auto b = loop.create_task(two_steps(cx, "B"));
  cx.mark("created");
  for (int i = 0; i < 4; ++i) cx.run_once();
  cx.is_true(a.done() && b.done(), "both tasks are done");
  cx.expect_trace({"created", "A1", "B1", "A2", "B2"});
}

Coro<int> adds(Context& cx, int depth) {
  cx.mark("depth " + std::to_string(depth));
  if (depth == 0) co_return 1;
  const int below = co_await adds(cx, depth - 1);
  co_return below + 1;
}

void await_is_inline(Context& cx) {
  EventLoop& loop = cx.loop();
  const auto task = loop.create_task(adds(cx, 2));
  loop.call_soon([&] { cx.mark("next callback"); });
  cx.run_once();
  cx.is_true(task.done(), "the task is done in one iteration");
  cx.equal(task.result().value(), 3, "its result");
  cx.expect_trace({"depth 2", "depth 1", "depth 0", "next callback"});
}

Coro<std::string> sleeper(Context& cx, bool gives_in) {
  cx.mark("waits");
  auto long_wait = after(cx.loop(), 1h);
  const Result<void> ended = co_await long_wait;
  cx.mark(ended.ok() ? "the hour passed" : error_name(ended.error().code));
  if (gives_in) throw Failure(make_error(Errc::cancelled, "sleeper"));
  auto turn = next_turn(cx.loop());
  (void)co_await turn;  // It cannot fail.
  co_return "went on";
}

void cancelled_while_waiting(Context& cx) {
  EventLoop& loop = cx.loop();
  auto task = loop.create_task(sleeper(cx, true));
  loop.call_soon([&] {
    cx.is_true(task.cancel(), "cancel() of a waiting task");
    cx.is_true(!task.done(), "the task decides itself");
    cx.mark("asked");
  });
  for (int i = 0; i < 4; ++i) cx.run_once();
  cx.is_true(task.done() && task.cancelled(), "the task is cancelled");
  cx.refused(task.result(), Errc::cancelled, "its result");
  cx.is_true(!task.cancel(), "cancel() of a task that is done");
  cx.expect_trace({"waits", "asked", "cancelled"});
}

void cancelled_before_start(Context& cx) {
  EventLoop& loop = cx.loop();
  auto task = loop.create_task(sleeper(cx, true));
  cx.is_true(task.cancel(), "cancel() of a task that did not begin");
  task.add_done_callback([&] { cx.mark("done callback"); });
  cx.mark("cancelled early");
  cx.run_once();
  cx.run_once();
  cx.refused(task.result(), Errc::cancelled, "its result");
  cx.expect_trace({"cancelled early", "done callback"});
}

void cancel_refused(Context& cx) {
  EventLoop& loop = cx.loop();
  auto task = loop.create_task(sleeper(cx, false));
  loop.call_soon([&] { task.cancel(), cx.mark("asked"); });
  const Result<std::string> ended = loop.run_until_complete(static_cast<Future<std::string>>(task));
  cx.ok(ended, "a task that does not give in");
  cx.equal(*ended, "went on", "its result");
  cx.is_true(!task.cancelled(), "it does not count as cancelled");
  cx.expect_trace({"waits", "asked", "cancelled"});
}

Coro<void> throws_later(Context& cx) {
  cx.mark("begins");
  auto turn = next_turn(cx.loop());
  (void)co_await turn;  // It cannot fail.
  throw std::runtime_error("boom");
}

void exception_kept(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { cx.mark("handler"); });
  {
    const auto task = loop.create_task(throws_later(cx));
    cx.mark("created");
    for (int i = 0; i < 4; ++i) cx.run_once();
    cx.is_true(task.done(), "the task is done");
    try {
      (void)task.result();  // throws
    } catch (const std::runtime_error& error) {
      cx.mark(error.what());
    }
  }
  cx.run_once();
  cx.expect_trace({"created", "begins", "boom"});
}

void factory(Context& cx) {
  EventLoop& loop = cx.loop();
  cx.is_true(!loop.get_task_factory(), "a new loop has no task factory");
  loop.set_task_factory([&](EventLoop& of, TaskOptions& options) {
    cx.is_true(&of == &loop, "the factory is given its loop");
    cx.mark("factory: " + options.name);
  });
  cx.is_true(static_cast<bool>(loop.get_task_factory()), "get_task_factory()");
  const auto made = loop.create_task(two_steps(cx, "A"), {.name = "named"});
  loop.set_task_factory(nullptr);
  const auto plain = loop.create_task(two_steps(cx, "B"), {.name = "plain"});
  cx.mark("created");
  for (int i = 0; i < 4; ++i) cx.run_once();
  cx.is_true(made.done() && plain.done(), "both tasks are done");
  cx.expect_trace({"factory: named", "created", "A1", "B1", "A2", "B2"});
}

Coro<void> says(Context& cx, std::string_view what) {
  cx.mark(what);
  co_return;
}

void eager_factory(Context& cx) {
  EventLoop& loop = cx.loop();
  loop.set_task_factory([](EventLoop&, TaskOptions& options) { options.eager = true; });
  loop.call_soon([&] {
    const auto eager = loop.create_task(says(cx, "first step"));
    cx.mark(eager.done() ? "created, and done" : "created");
  });
  cx.run_once();
  cx.run_once();
  cx.expect_trace({"first step", "created, and done"});
}

constexpr std::string_view kTask[] = {"create_task"};
constexpr std::string_view kFactory[] = {"set_task_factory", "get_task_factory", "create_task"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::futures};
#define LOOPSCOPE_TASK_DOC "docs.python.org/3/library/asyncio-task.html"
constexpr std::string_view kFactoryDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_task_factory";
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "task.starts_soon",
     .promise = "A task begins in the next iteration, in line with other callbacks.",
     .source = LOOPSCOPE_TASK_DOC "#asyncio.create_task",
     .needs = kNeeds,
     .body = starts_soon,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.take_turns",
     .promise = "Tasks that wait for the loop take turns in the order in which they were made.",
     .source = LOOPSCOPE_TASK_DOC "#awaitables",
     .needs = kNeeds,
     .body = take_turns,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.await_is_inline",
     .promise = "Awaiting a coroutine runs it at once, without a turn of the loop.",
     .source = LOOPSCOPE_TASK_DOC "#coroutines",
     .needs = kNeeds,
     .body = await_is_inline,
     .severity = Severity::common,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.cancelled_while_waiting",
     .promise = "Cancelling a waiting task raises cancelled where it waits, in a later iteration.",
     .source = LOOPSCOPE_TASK_DOC "#task-cancellation",
     .needs = kNeeds,
     .body = cancelled_while_waiting,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.cancelled_before_start",
     .promise = "A task that is cancelled before it begins never runs its coroutine.",
     .source = LOOPSCOPE_TASK_DOC "#asyncio.Task.cancel",
     .needs = kNeeds,
     .body = cancelled_before_start,
     .severity = Severity::common,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.cancel_refused",
     .promise = "A task may ignore a cancellation, and then ends as usual.",
     .source = LOOPSCOPE_TASK_DOC "#asyncio.Task.cancel",
     .needs = kNeeds,
     .body = cancel_refused,
     .severity = Severity::edge,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.exception_kept",
     .promise = "A task keeps its exception for whoever asks, and then it is not reported.",
     .source = LOOPSCOPE_TASK_DOC "#asyncio.Task.result",
     .needs = {Cap::call_soon, Cap::futures, Cap::exception_handler},
     .body = exception_kept,
     .api = kTask,
     .limit = kLimit},
    {.id = "task.factory",
     .promise = "The task factory sees each new task until it is unset.",
     .source = kFactoryDoc,
     .needs = kNeeds,
     .body = factory,
     .severity = Severity::common,
     .api = kFactory,
     .limit = kLimit},
    {.id = "task.eager",
     .promise = "An eager task runs its first step inside create_task().",
     .source = LOOPSCOPE_TASK_DOC "#eager-task-factory",
     .needs = kNeeds,
     .body = eager_factory,
     .severity = Severity::edge,
     .api = kFactory,
     .limit = kLimit},
};
#undef LOOPSCOPE_TASK_DOC

}  // namespace

extern const ScenarioFile file{"F", "Futures and tasks", kScenarios};

}  // namespace loopscope::scenarios::tasks
