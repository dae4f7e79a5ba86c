// Ported programs: cancelling tasks. What they check: test_tasks.py.
#include "ci/ported/program.hpp"

namespace loopscope::ported::cancellation {
namespace {

Coro<int> waits(Stage& s, Future<int> future) {
  s.say("begins");
  const Result<int> got = co_await future;
  s.say("woken by", got);
  co_return got.value();
}

void before_the_start(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.say("cancel", task.cancel());
  s.say("again", task.cancel());
  s.say("done", task.done());
  s.turn();
  s.say("done", task.done(), "cancelled", task.cancelled(), task.result(), task.cancel());
  s.say("its future", future.cancelled());
}

void while_waiting(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.turn();
  s.say("cancel", task.cancel(), "done", task.done());
  s.say("its future", future.cancelled());
  s.turn();
  s.say("cancelled", task.cancelled(), task.result());
}

Coro<int> forgives(Stage& s, Future<int> future, Future<int> second) {
  const Result<int> first = co_await future;
  s.say("first", first);
  const Result<int> then = co_await second;
  s.say("then", then);
  co_return 7;
}

void ignored(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  Future<int> second = s.loop().create_future<int>();
  auto task = s.loop().create_task(forgives(s, future, second));
  s.turn();
  task.cancel();
  s.turn();
  s.say("done", task.done());
  second.set_result(2);
  s.turn();
  s.say("cancelled", task.cancelled(), task.result());
}

void inner_future(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.turn();
  future.cancel();
  s.turn();
  s.say("cancelled", task.cancelled());
}

void both(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.turn();
  future.cancel();
  s.say("cancel", task.cancel());
  s.turn();
  s.say("cancelled", task.cancelled());
}

void when_the_result_is_there(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.turn();
  future.set_result(1);  // The task will be woken in the next iteration.
  s.say("cancel", task.cancel());
  s.turn();
  s.say("cancelled", task.cancelled());
}

struct Slot {
  Task<int> task;
};
Coro<int> cancels_itself(Stage& s, Slot& slot, Future<int> future) {
  s.say("cancel", slot.task.cancel());
  const Result<int> got = co_await future;
  s.say("woken by", got);
  co_return got.value();
}
void by_itself(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  Slot slot;
  slot.task = s.loop().create_task(cancels_itself(s, slot, future));
  s.turn(2);
  s.say("cancelled", slot.task.cancelled(), "its future", future.cancelled());
}

Coro<int> cancels_and_returns(Stage& s, Slot& slot) {
  s.say("cancel", slot.task.cancel());
  co_return 12;
}
void at_the_end(Stage& s) {
  Slot slot;
  slot.task = s.loop().create_task(cancels_and_returns(s, slot));
  s.turn();
  s.say("done", slot.task.done(), "cancelled", slot.task.cancelled(), slot.task.result());
}

Coro<int> cancels_and_raises(Slot& slot) {
  slot.task.cancel();
  throw Boom();
  co_return 0;
}
void at_an_exception(Stage& s) {
  Slot slot;
  slot.task = s.loop().create_task(cancels_and_raises(slot));
  s.turn();
  s.say("cancelled", slot.task.cancelled());
  s.say(s.finish(static_cast<Future<int>>(slot.task)));
}

void a_task_that_is_awaited(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto inner = s.loop().create_task(waits(s, future));
  auto outer = s.loop().create_task(waits(s, inner));
  s.turn(2);
  s.say("cancel", outer.cancel());
  s.say("the innermost future", future.cancelled());
  s.turn(3);
  s.say("cancelled", inner.cancelled(), outer.cancelled());
}

Coro<int> cleans_up(Stage& s, Future<int> future) {
  const Result<int> got = co_await future;
  s.say("woken by", got);
  const Future<void> pause = sleep(s.loop(), milliseconds(2));
  const Result<void> slept = co_await pause;
  s.say("cleaned up", slept);
  co_return got.value();
}
void cleanup_may_wait(Stage& s) {
  auto task = s.loop().create_task(cleans_up(s, s.loop().create_future<int>()));
  s.turn();
  task.cancel();
  s.say(s.finish(static_cast<Future<int>>(task)));
  s.say("cancelled", task.cancelled());
}

Coro<int> turns_into_boom(Future<int> future) {
  const Result<int> got = co_await future;
  if (!got.ok()) throw Boom();
  co_return 0;
}
void becomes_an_exception(Stage& s) {
  auto task = s.loop().create_task(turns_into_boom(s.loop().create_future<int>()));
  s.turn();
  task.cancel();
  s.say(s.finish(static_cast<Future<int>>(task)));
  s.say("cancelled", task.cancelled());
}

Coro<int> sleeps(Stage& s) {
  const Future<void> pause = sleep(s.loop(), std::chrono::seconds(600));
  const Result<void> slept = co_await pause;
  s.say("slept", slept);
  slept.value();
  co_return 0;
}
void a_sleep(Stage& s) {
  auto task = s.loop().create_task(sleeps(s));
  s.loop().call_later(milliseconds(1), [&] { s.say("cancel", task.cancel()); });
  s.say(s.finish(static_cast<Future<int>>(task)));
}

void done_already(Stage& s) {
  s.say_reports();
  Future<int> future = s.loop().create_future<int>();
  auto task = s.loop().create_task(waits(s, future));
  s.turn();
  future.set_result(3);
  s.turn();
  s.say("cancel", task.cancel(), "cancelled", task.cancelled(), task.result());
}

void twice_in_a_row(Stage& s) {
  Future<int> second = s.loop().create_future<int>();
  auto task = s.loop().create_task(forgives(s, s.loop().create_future<int>(), second));
  s.turn();
  s.say("cancel", task.cancel());
  s.say("again", task.cancel());
  s.turn();
  s.say("done", task.done());
  if (!task.done()) second.set_result(2);
  s.turn();
  s.say("cancelled", task.cancelled());
}

void unretrieved_is_quiet(Stage& s) {
  s.say_reports();
  {
    auto task = s.loop().create_task(sleeps(s));
    s.turn();
    task.cancel();
  }
  s.turn(2);
  s.say("nothing to report");
}

constexpr Program kPrograms[] = {
    {"cancel.before_the_start", before_the_start},
    {"cancel.while_waiting", while_waiting},
    {"cancel.ignored", ignored},
    {"cancel.inner_future", inner_future},
    {"cancel.both", both},
    {"cancel.when_the_result_is_there", when_the_result_is_there},
    {"cancel.by_itself", by_itself},
    {"cancel.at_the_end", at_the_end},
    {"cancel.at_an_exception", at_an_exception},
    {"cancel.a_task_that_is_awaited", a_task_that_is_awaited},
    {"cancel.cleanup_may_wait", cleanup_may_wait},
    {"cancel.becomes_an_exception", becomes_an_exception},
    {"cancel.a_sleep", a_sleep},
    {"cancel.done_already", done_already},
    {"cancel.twice_in_a_row", twice_in_a_row},
    {"cancel.unretrieved_is_quiet", unretrieved_is_quiet},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::cancellation
