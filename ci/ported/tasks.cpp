// Ported programs: tasks and what they run. What they check: test_tasks.py.
#include "ci/ported/program.hpp"

namespace loopscope::ported::tasks {
namespace {

Coro<int> answer(Stage& s, const char* name, int value) {
  s.say(name);
  co_return value;
}
Coro<int> nap(Stage& s, int delay_ms, int value) {
  const Future<void> pause = sleep(s.loop(), milliseconds(delay_ms));
  const Result<void> slept = co_await pause;
  s.say("slept", slept);
  co_return value;
}
/// Says when a coroutine's frame goes.
struct Local {
  Stage& s;
  const char* name;
  ~Local() { s.say(name); }
};

void starts_soon(Stage& s) {
  s.loop().call_soon(s.sayer("queued before"));
  auto task = s.loop().create_task(answer(s, "runs", 3));
  s.loop().call_soon(s.sayer("queued behind"));
  s.say("created", task.done());
  s.turn();
  s.say("done", task.done(), task.result());
}

void done_callback(Stage& s) {
  auto task = s.loop().create_task(answer(s, "runs", 3));
  task.add_done_callback(s.sayer("callback"));
  s.turn();
  s.say("done", task.done());
  s.turn();
}

Coro<int> outer(Stage& s) {
  const Local local{s, "outer ends"};
  s.say("outer");
  Coro<int> inner = answer(s, "inner", 20);
  const int value = co_await inner;
  s.say("back in outer");
  co_return value + 1;
}
void nested_coroutines(Stage& s) {
  auto task = s.loop().create_task(outer(s));
  s.loop().call_soon(s.sayer("between steps, if there were any"));
  s.turn();
  s.say(task.result());
}

Coro<int> raises() {
  throw Boom();
  co_return 0;
}
Coro<int> catches(Stage& s) {
  int value = 0;
  try {
    Coro<int> inner = raises();
    value = co_await inner;
  } catch (const Boom&) {
    s.say("caught");
    value = 9;
  }
  co_return value;
}
void exception_passes(Stage& s) {
  s.say(s.finish(catches(s)));
  s.say(s.finish(raises()));
}

void exception_unretrieved(Stage& s) {
  s.say_reports();
  { auto task = s.loop().create_task(raises()); }
  s.turn();
  s.say("turned");
}

Coro<int> exits() {
  throw Exit();
  co_return 0;
}
void exit_leaves(Stage& s) {
  s.say_reports();
  auto task = s.loop().create_task(exits());
  s.loop().call_soon(s.sayer("behind"));
  try {
    s.run();
  } catch (const ExitException&) {
    s.say("left");
  }
  s.say("done", task.done());
  s.turn();
}

Coro<int> steps(Stage& s, const char* name) {
  for (int step = 1; step <= 3; ++step) {
    s.say(name, step);
    const Future<void> yield = sleep(s.loop(), milliseconds(0));
    (void)co_await yield;
  }
  co_return 0;
}
void sleep_zero_takes_turns(Stage& s) {
  auto first = s.loop().create_task(steps(s, "first"));
  auto second = s.loop().create_task(steps(s, "second"));
  for (int turn = 1; turn <= 5; ++turn) {
    s.turn();
    s.say("turn", turn);
  }
  s.say(first.done(), second.done());
}

Coro<int> sleep_zero_beside(Stage& s) {
  s.loop().call_soon(s.sayer("queued before the sleep"));
  const Future<void> yield = sleep(s.loop(), milliseconds(0));
  (void)co_await yield;
  s.say("awake");
  co_return 1;
}
void sleep_zero_order(Stage& s) { s.say(s.finish(sleep_zero_beside(s))); }

Coro<int> sleeper(Stage& s, int delay_ms) {
  const Future<void> pause = sleep(s.loop(), milliseconds(delay_ms));
  (void)co_await pause;
  s.say("after", delay_ms);
  co_return delay_ms;
}
void sleep_by_delay(Stage& s) {
  auto last = s.loop().create_task(sleeper(s, 30));
  auto first = s.loop().create_task(sleeper(s, 10));
  auto second = s.loop().create_task(sleeper(s, 20));
  s.say(s.finish(static_cast<Future<int>>(last)));
  s.say(first.done(), second.done());
}

void destroyed_while_pending(Stage& s) {
  s.say_reports();
  auto task = s.loop().create_task(nap(s, 60'000, 1));
  s.turn();
  s.loop().close().value();
  task = {};
  s.say("closed");
}

Coro<int> keep(Future<int> future, Stage& s) {
  const Local local{s, "frame ends"};
  (void)co_await future;
  co_return 0;
}
void unheld_goes_on(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  { auto task = s.loop().create_task(keep(future, s)); }
  s.turn();
  future.set_result(1);
  s.turn();
  s.say("done");
}

Coro<int> await_result(Stage& s, Future<int> future) {
  try {
    const Result<int> got = co_await future;
    s.say("got", got);
  } catch (const Boom&) {
    s.say("got Boom");
  }
  co_return 0;
}
void awaits_a_task(Stage& s) {
  auto good = s.loop().create_task(nap(s, 1, 5));
  s.say(s.finish(await_result(s, good)));
  auto bad = s.loop().create_task(raises());
  s.say(s.finish(await_result(s, bad)));
}

struct Self {
  Task<int> task;
};
Coro<int> await_self(Stage& s, Self& self) {
  const Result<int> got = co_await self.task;
  s.say("got", got);
  co_return 1;
}
void awaits_itself(Stage& s) {
  Self self;
  self.task = s.loop().create_task(await_self(s, self));
  s.turn(3);
  s.say("done", self.task.done());
  if (!self.task.done()) self.task.cancel();
}

void awaits_foreign_future(Stage& s) {
  const auto other = s.another();
  Future<int> theirs = other->create_future<int>();
  auto task = s.loop().create_task(await_result(s, theirs));
  s.turn(3);
  s.say("done", task.done());
  theirs.cancel();
  other->close().value();
}

void factory(Stage& s) {
  s.say("none", !s.loop().get_task_factory());
  s.loop().set_task_factory(
      [&s](EventLoop& loop, TaskOptions&) { s.say("factory", &loop == &s.loop()); });
  s.say("none", !s.loop().get_task_factory());
  s.say(s.finish(answer(s, "runs", 1)));
  s.loop().set_task_factory(nullptr);
  s.say(s.finish(answer(s, "runs", 2)));
}

void stopped_and_resumed(Stage& s) {
  auto task = s.loop().create_task(nap(s, 5, 8));
  s.loop().call_soon([&s] { s.loop().stop(); });
  s.say(s.finish(static_cast<Future<int>>(task)));
  s.say(s.finish(static_cast<Future<int>>(task)));
}

constexpr Program kPrograms[] = {
    {"tasks.starts_soon", starts_soon},
    {"tasks.done_callback", done_callback},
    {"tasks.nested_coroutines", nested_coroutines},
    {"tasks.exception_passes", exception_passes},
    {"tasks.exception_unretrieved", exception_unretrieved},
    {"tasks.exit_leaves", exit_leaves},
    {"tasks.sleep_zero_takes_turns", sleep_zero_takes_turns},
    {"tasks.sleep_zero_order", sleep_zero_order},
    {"tasks.sleep_by_delay", sleep_by_delay},
    {"tasks.destroyed_while_pending", destroyed_while_pending},
    {"tasks.unheld_goes_on", unheld_goes_on},
    {"tasks.awaits_a_task", awaits_a_task},
    {"tasks.awaits_itself", awaits_itself},
    {"tasks.awaits_foreign_future", awaits_foreign_future},
    {"tasks.factory", factory},
    {"tasks.stopped_and_resumed", stopped_and_resumed},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::tasks
