// Tests of futures, coroutines and tasks on a loop that never has to wait.
#include "loops/future.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "loops/common/run_once.hpp"
#include "loops/event_loop.hpp"
#include "loops/selector/selector_loop.hpp"

using namespace loopscope;
using loopscope::testing::run_once;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<EventLoop> any_loop() {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->make == nullptr || row->family != Family::selector) continue;
    auto loop = row->make({});
    REQUIRE(loop.ok());
    return std::move(loop).value();
  }
  FAIL("no selector loop in this build");
  return nullptr;
}

Coro<int> add(int a, int b) { co_return a + b; }
Coro<int> add_twice(int a) {
  const int once = co_await add(a, 1);
  const int twice = co_await add(once, 1);
  co_return twice;
}
Coro<std::string> wait_for(Future<int> future) {
  const Result<int> result = co_await future;
  if (!result.ok()) co_return to_string(result.error());
  co_return std::to_string(*result);
}
Coro<int> value_or_throw(Future<int> future) {
  const int value = co_await or_throw(future);
  co_return value;
}
Coro<void> throw_text() {
  throw std::runtime_error("no");
  co_return;
}
Coro<void> sleeper(EventLoop& loop, bool& cleaned) {
  struct Clean {
    bool& flag;
    ~Clean() { flag = true; }
  } clean{cleaned};
  auto nap = sleep(loop, 1h);
  co_await or_throw(nap);
}

}  // namespace

TEST_CASE("awaiting a coroutine runs it inline, without a turn of the loop") {
  auto loop = any_loop();
  const Result<int> result = loop->run_until_complete(add_twice(40));
  REQUIRE(result.ok());
  CHECK(*result == 42);
}

TEST_CASE("callbacks and waiters are delivered by call_soon, in the order of adding") {
  auto loop = any_loop();
  Future<int> future = loop->create_future<int>();
  std::string trace;
  future.add_done_callback([&] { trace += "a"; });
  future.add_done_callback([&] { trace += "b"; });
  const auto removed = future.add_done_callback([&] { trace += "x"; });
  CHECK(future.remove_done_callback(removed));
  CHECK(future.set_result(1));
  CHECK_FALSE(future.set_result(2));
  CHECK(trace.empty());
  future.add_done_callback([&] { trace += "c"; });
  run_once(*loop);
  CHECK(trace == "abc");
}

TEST_CASE("a cancelled future gives its waiter an error and runs its cancel hook at once") {
  auto loop = any_loop();
  Future<int> future = loop->create_future<int>();
  bool hooked = false;
  future.set_cancel_hook([&] { hooked = true; });
  Task<std::string> task = loop->create_task(wait_for(future));
  run_once(*loop);
  CHECK(future.cancel());
  CHECK(hooked);
  const Result<std::string> text = loop->run_until_complete(static_cast<Future<std::string>>(task));
  REQUIRE(text.ok());
  CHECK(*text == "Future.cancel: cancelled");
}

TEST_CASE("cancelling a task: before its first step, while it waits, and after its end") {
  auto loop = any_loop();
  bool cleaned = false;
  Task<void> never = loop->create_task(sleeper(*loop, cleaned));
  CHECK(never.cancel());
  run_once(*loop);
  CHECK(never.cancelled());
  CHECK_FALSE(cleaned);

  Task<void> waiting = loop->create_task(sleeper(*loop, cleaned));
  run_once(*loop);
  CHECK(waiting.cancel());
  run_once(*loop);
  CHECK(waiting.cancelled());
  CHECK(cleaned);
  CHECK_FALSE(waiting.cancel());
}

TEST_CASE("an exception of a task is rethrown by its result, and an Error becomes a Failure") {
  auto loop = any_loop();
  CHECK_THROWS_AS((void)loop->run_until_complete(throw_text()), std::runtime_error);
  Future<int> future = loop->create_future<int>();
  future.set_error(make_error(Errc::timed_out, "test"));
  CHECK_THROWS_AS((void)loop->run_until_complete(value_or_throw(future)), Failure);
}

TEST_CASE("errors that nobody looked at are reported, seen and cancelled ones are not") {
  auto loop = any_loop();
  std::string seen;
  loop->set_exception_handler(
      [&](EventLoop&, const ExceptionContext& context) { seen += context.message + ";"; });
  { loop->create_future<int>().set_error(make_error(Errc::timed_out, "test")); }
  CHECK(seen == "Future exception was never retrieved;");
  {
    Future<int> looked_at = loop->create_future<int>();
    looked_at.set_error(make_error(Errc::timed_out, "test"));
    CHECK_FALSE(looked_at.result().ok());
    Future<int> dropped = loop->create_future<int>();
    dropped.cancel();
  }
  CHECK(seen == "Future exception was never retrieved;");
}

TEST_CASE("a task without a handle goes on, and one that is pending at close is reported") {
  auto loop = any_loop();
  std::string seen;
  loop->set_exception_handler(
      [&](EventLoop&, const ExceptionContext& context) { seen += context.message; });
  bool cleaned = false;
  { Task<void> dropped = loop->create_task(sleeper(*loop, cleaned)); }
  {
    Future<int> nobody = loop->create_future<int>();
    Task<std::string> waits_for_nobody = loop->create_task(wait_for(nobody));
  }
  run_once(*loop);
  CHECK_FALSE(cleaned);
  CHECK(seen.empty());
  CHECK(loop->close().ok());
  CHECK(cleaned);
  CHECK(seen == "Task was destroyed but it is pending!Task was destroyed but it is pending!");
}

TEST_CASE("a future outlives its loop without touching it") {
  auto loop = any_loop();
  Future<int> future = loop->create_future<int>();
  future.add_done_callback([] { FAIL("a destroyed loop runs nothing"); });
  loop.reset();
  CHECK(future.get_loop() == nullptr);
  CHECK(future.set_result(1));
  CHECK(future.result().value() == 1);
}

TEST_CASE("a task factory may name tasks and start them eagerly") {
  auto loop = any_loop();
  int made = 0;
  loop->set_task_factory([&](EventLoop&, TaskOptions& options) {
    ++made;
    options.eager = true;
  });
  Task<int> task = loop->create_task(add_twice(1));
  CHECK(task.done());
  CHECK(made == 1);
}

TEST_CASE("a move-only value travels through a future") {
  auto loop = any_loop();
  auto future = loop->create_future<std::unique_ptr<int>>();
  future.set_result(std::make_unique<int>(7));
  const auto taken = future.result();
  REQUIRE(taken.ok());
  CHECK(**taken == 7);
}

TEST_CASE("a future that outlives its loop can be cancelled, and touches nothing of the loop") {
  auto loop = any_loop();
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  Socket silent(std::move(pair->first));
  auto received = loop->sock_recv(silent, 16);
  auto nap = sleep(*loop, 1h);
  bool hook_ran = false;
  Future<void> own = loop->create_future();
  own.set_cancel_hook([&] { hook_ran = true; });
  REQUIRE(loop->close().ok());
  loop.reset();
  CHECK(received.cancel());
  CHECK(nap.cancel());
  CHECK(own.cancel());
  CHECK_FALSE(hook_ran);
}
