// Futures: results, callbacks and cancellation, all of them through the loop.
#include <memory>
#include <stdexcept>
#include <string>

#include "harness/scenario.hpp"

namespace loopscope::scenarios::futures {
namespace {

void callbacks_in_order(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  future.add_done_callback([&] { cx.mark("first"); });
  const std::uint64_t removed = future.add_done_callback([&] { cx.mark("removed"); });
  future.add_done_callback([&] { cx.mark("third"); });
  cx.is_true(future.remove_done_callback(removed), "remove_done_callback of one that is there");
  cx.is_true(!future.remove_done_callback(removed), "remove_done_callback of one that is not");
  loop.call_soon([&] { future.set_result(1), cx.mark("set"); });
  loop.call_soon([&] { cx.mark("sibling"); });
  cx.run_once();
  cx.run_once();
  cx.expect_trace({"set", "sibling", "first", "third"});
}

void callback_when_done(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  future.set_result(1);
  loop.call_soon([&] {
    future.add_done_callback([&] { cx.mark("called"); });
    cx.mark("added");
  });
  cx.run_once();
  cx.run_once();
  cx.expect_trace({"added", "called"});
}

Coro<void> wait_for(Context& cx, Future<int> future, std::string_view who) {
  cx.mark(std::string(who) + " waits");
  const Result<int> result = co_await future;
  const std::string got = result.ok() ? std::to_string(*result) : error_name(result.error().code);
  cx.mark(std::string(who) + " got " + got);
}

void first_outcome_counts(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  cx.refused(future.result(), Errc::invalid_state, "the result of a pending future");
  const auto waiter = loop.create_task(wait_for(cx, future, "A"));
  loop.call_soon([&] {
    cx.is_true(future.set_result(1), "the first set_result()");
    cx.is_true(!future.set_result(2), "the second one is refused");
    cx.is_true(!future.set_error(make_error(Errc::closed, "late")), "so is an error");
    cx.is_true(!future.cancel(), "so is cancel()");
    cx.mark("set");
  });
  cx.run(wait_for(cx, future, "main"));
  cx.expect_trace({"A waits", "set", "main waits", "main got 1", "A got 1"});
}

void all_waiters_resume(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  const auto one = loop.create_task(wait_for(cx, future, "A"));
  const auto two = loop.create_task(wait_for(cx, future, "B"));
  loop.call_soon([&] { future.set_result(7), cx.mark("set"); });
  for (int i = 0; i < 3; ++i) cx.run_once();
  cx.is_true(one.done() && two.done(), "both tasks are done");
  cx.expect_trace({"A waits", "B waits", "set", "A got 7", "B got 7"});
}

void cancelled(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  const auto waiter = loop.create_task(wait_for(cx, future, "A"));
  future.add_done_callback([&] { cx.mark("done callback"); });
  loop.call_soon([&] {
    cx.is_true(future.cancel(), "cancel() of a pending future");
    cx.is_true(future.done() && future.cancelled(), "the future is done at once");
    cx.is_true(!future.cancel(), "a second cancel()");
    cx.mark("cancelled");
  });
  for (int i = 0; i < 3; ++i) cx.run_once();
  cx.refused(future.result(), Errc::cancelled, "the result of a cancelled future");
  cx.expect_trace({"A waits", "cancelled", "done callback", "A got cancelled"});
}

Coro<void> rethrows(Context& cx, Future<int> future) {
  try {
    const Result<int> never = co_await future;
    cx.failed("co_await of a future with an exception", "the exception", show(never.ok()));
  } catch (const std::runtime_error& error) {
    cx.mark(error.what());
  }
}

void exception_reaches_waiter(Context& cx) {
  EventLoop& loop = cx.loop();
  auto future = loop.create_future<int>();
  loop.call_soon([&] {
    future.set_exception(std::make_exception_ptr(std::runtime_error("boom")));
    cx.mark("set");
  });
  const auto task = loop.create_task(rethrows(cx, future));
  cx.mark("created");
  cx.ok(loop.run_until_complete(static_cast<Future<void>>(task)), "the waiting task");
  cx.expect_trace({"created", "set", "boom"});
}

constexpr std::string_view kFuture[] = {"create_future"};
constexpr std::string_view kBoth[] = {"create_future", "create_task"};
constexpr CapSet kNeeds{Cap::call_soon, Cap::futures};
#define LOOPSCOPE_FUTURE_DOC "docs.python.org/3/library/asyncio-future.html#asyncio.Future"
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "future.callbacks_in_order",
     .promise = "Done callbacks run in the order of adding, in the iteration after the result; a "
                "removed one does not.",
     .source = LOOPSCOPE_FUTURE_DOC ".add_done_callback",
     .needs = kNeeds,
     .body = callbacks_in_order,
     .api = kFuture,
     .limit = kLimit},
    {.id = "future.callback_when_done",
     .promise = "A callback added to a done future is scheduled, not called.",
     .source = LOOPSCOPE_FUTURE_DOC ".add_done_callback",
     .needs = kNeeds,
     .body = callback_when_done,
     .severity = Severity::common,
     .api = kFuture,
     .limit = kLimit},
    {.id = "future.first_outcome_counts",
     .promise = "The first outcome of a future is the one that its waiters get.",
     .source = LOOPSCOPE_FUTURE_DOC ".set_result",
     .needs = kNeeds,
     .body = first_outcome_counts,
     .api = kBoth,
     .limit = kLimit},
    {.id = "future.all_waiters_resume",
     .promise = "All tasks that wait for a future resume in the order in which they waited.",
     .source = LOOPSCOPE_FUTURE_DOC,
     .needs = kNeeds,
     .body = all_waiters_resume,
     .api = kBoth,
     .limit = kLimit},
    {.id = "future.cancelled",
     .promise =
         "Cancelling a future makes it done at once and schedules its callbacks and waiters.",
     .source = LOOPSCOPE_FUTURE_DOC ".cancel",
     .needs = kNeeds,
     .body = cancelled,
     .api = kBoth,
     .limit = kLimit},
    {.id = "future.exception_reaches_waiter",
     .promise = "The exception of a future is raised in the task that waits for it.",
     .source = LOOPSCOPE_FUTURE_DOC ".set_exception",
     .needs = kNeeds,
     .body = exception_reaches_waiter,
     .severity = Severity::common,
     .api = kBoth,
     .limit = kLimit},
};
#undef LOOPSCOPE_FUTURE_DOC

}  // namespace

extern const ScenarioFile file{"F", "Futures and tasks", kScenarios};

}  // namespace loopscope::scenarios::futures
