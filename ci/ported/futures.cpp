// Ported programs: futures and their callbacks. What they check: test_futures.py.
#include "ci/ported/program.hpp"

namespace loopscope::ported::futures {
namespace {

std::exception_ptr boom() { return std::make_exception_ptr(Boom()); }

/// What result() gives, an exception included.
template <class T>
std::string peek(const Future<T>& future) {
  try {
    return word(future.result());
  } catch (const Boom& thrown) {
    return thrown.what();
  }
}

void initial(Stage& s) {
  const Future<int> future = s.loop().create_future<int>();
  s.say("done", future.done(), "cancelled", future.cancelled());
  s.say("result", future.result());
  s.say("its loop", future.get_loop() == &s.loop());
}

void set_result(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.say("taken", future.set_result(7));
  s.say("done", future.done(), "cancelled", future.cancelled(), peek(future));
  s.say("again", future.set_result(8), future.set_exception(boom()), "cancel", future.cancel());
  s.say(peek(future));
}

void set_exception(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.say("taken", future.set_exception(boom()));
  s.say("done", future.done(), "cancelled", future.cancelled(), peek(future), peek(future));
}

void cancel(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.say("cancel", future.cancel());
  s.say("again", future.cancel());
  s.say("done", future.done(), "cancelled", future.cancelled(), peek(future));
  s.say("afterwards", future.set_result(1));
}

void callbacks_by_call_soon(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  for (const char* name : {"a", "b", "c"}) future.add_done_callback(s.sayer(name));
  s.loop().call_soon(s.sayer("queued before"));
  future.set_result(1);
  s.loop().call_soon(s.sayer("queued behind"));
  s.say("set");
  s.turn();
}

void callback_added_when_done(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  future.set_result(1);
  s.turn();
  future.add_done_callback(s.sayer("late"));
  s.say("added");
  s.turn();
}

void callback_on_cancel(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  future.add_done_callback([&] { s.say("called", future.cancelled()); });
  future.cancel();
  s.say("cancelled");
  s.turn();
}

void callback_removed(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  future.add_done_callback(s.sayer("a"));
  const std::uint64_t id = future.add_done_callback(s.sayer("never"));
  future.add_done_callback(s.sayer("c"));
  s.say("removed", future.remove_done_callback(id));
  s.say("again", future.remove_done_callback(id));
  future.set_result(1);
  s.turn();
}

void callback_removes_another(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  std::uint64_t second = 0;
  future.add_done_callback([&] { s.say("removed", future.remove_done_callback(second)); });
  second = future.add_done_callback(s.sayer("scheduled already"));
  future.set_result(1);
  s.turn();
}

void callback_raises(Stage& s) {
  s.say_reports();
  Future<int> future = s.loop().create_future<int>();
  future.add_done_callback([] { throw Boom(); });
  future.add_done_callback(s.sayer("the next one"));
  future.set_result(1);
  s.turn();
}

void callback_adds_one(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  future.add_done_callback([&] {
    s.say("first");
    future.add_done_callback(s.sayer("added by the first"));
  });
  future.add_done_callback(s.sayer("second"));
  future.set_result(1);
  s.turn();
  s.say("turned");
  s.turn();
}

void unretrieved(Stage& s) {
  s.say_reports();
  s.loop().create_future<int>().set_exception(boom());
  s.say("dropped");
}

void retrieved(Stage& s) {
  s.say_reports();
  {
    Future<int> future = s.loop().create_future<int>();
    future.set_exception(boom());
    s.say(peek(future));
  }
  s.loop().create_future<int>().cancel();
  s.loop().create_future<int>().set_result(1);
  s.say("nothing to report");
}

void unretrieved_after_close(Stage& s) {
  s.say_reports();
  Future<int> future = s.loop().create_future<int>();
  future.set_exception(boom());
  s.loop().close().value();
  future = {};
  s.say("dropped");
}

Coro<int> wait_for(Future<int> future) {
  const Result<int> value = co_await future;
  co_return value.value();
}
Coro<int> wait_and_say(Stage& s, const char* name, Future<int> future) {
  const Result<int> value = co_await future;
  s.say(name, value);
  co_return 0;
}

void awaited(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.loop().call_soon([future]() mutable { future.set_result(5); });
  s.say(s.finish(wait_for(future)));
  s.say("done already", s.finish(wait_for(future)));
}

void awaited_by_two(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  auto first = s.loop().create_task(wait_and_say(s, "first", future));
  auto second = s.loop().create_task(wait_and_say(s, "second", future));
  s.turn();
  future.add_done_callback(s.sayer("callback"));
  future.set_result(5);
  s.turn();
}

void set_after_close(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  future.add_done_callback(s.sayer("never"));
  s.loop().close().value();
  s.say("set", future.set_result(1));
  s.say("done", future.done());
}

constexpr Program kPrograms[] = {
    {"futures.initial", initial},
    {"futures.set_result", set_result},
    {"futures.set_exception", set_exception},
    {"futures.cancel", cancel},
    {"futures.callbacks_by_call_soon", callbacks_by_call_soon},
    {"futures.callback_added_when_done", callback_added_when_done},
    {"futures.callback_on_cancel", callback_on_cancel},
    {"futures.callback_removed", callback_removed},
    {"futures.callback_removes_another", callback_removes_another},
    {"futures.callback_raises", callback_raises},
    {"futures.callback_adds_one", callback_adds_one},
    {"futures.unretrieved", unretrieved},
    {"futures.retrieved", retrieved},
    {"futures.unretrieved_after_close", unretrieved_after_close},
    {"futures.awaited", awaited},
    {"futures.awaited_by_two", awaited_by_two},
    {"futures.set_after_close", set_after_close},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::futures
