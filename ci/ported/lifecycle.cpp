// Ported programs: runs, stop() and close(). What they check: test_events.py, test_base_events.py.
#include <memory>
#include <thread>

#include "ci/ported/program.hpp"
#include "loops/current.hpp"

namespace loopscope::ported::lifecycle {
namespace {

void stop_before_run(Stage& s) {
  s.loop().call_soon(s.sayer("first"));
  s.loop().call_soon([&s] {
    s.say("second");
    s.loop().call_soon(s.sayer("next run"));
  });
  s.loop().stop();
  s.run();
  s.say("stopped");
  s.turn();
}

void stop_lets_batch_finish(Stage& s) {
  s.loop().call_soon([&s] { s.say("stops"), s.loop().stop(); });
  s.loop().call_soon(s.sayer("of the same batch"));
  s.run();
  s.say("stopped");
}

void stop_from_timer(Stage& s) {
  s.loop().call_later(milliseconds(1), [&s] { s.say("stops"), s.loop().stop(), s.loop().stop(); });
  s.run();
  s.say("once is enough");
  s.turn();
}

void run_states(Stage& s) {
  s.say("running", s.loop().is_running(), "closed", s.loop().is_closed());
  s.loop().call_soon([&s] { s.say("running", s.loop().is_running()); });
  s.turn();
  s.say("running", s.loop().is_running());
  s.loop().close().value();
  s.say("closed", s.loop().is_closed());
}

void run_nested(Stage& s) {
  s.loop().call_soon([&s] { s.say(s.loop().run_forever()); });
  s.loop().call_soon(s.sayer("goes on"));
  s.turn();
}

void run_another_inside(Stage& s) {
  const auto other = s.another();
  s.loop().call_soon([&] { s.say(other->run_forever()); });
  s.turn();
  s.say("other is running", other->is_running());
  other->stop();
  s.say(other->run_forever());
  s.say(other->close());
}

void run_in_a_thread(Stage& s) {
  std::thread thread([&s] {
    s.loop().call_soon([&s] { s.say("here", running_loop() == &s.loop()); });
    s.turn();
  });
  thread.join();
  s.loop().call_soon([&s] { s.say("there", running_loop() == &s.loop()); });
  s.turn();
}

void run_marks_loop(Stage& s) {
  s.say("outside", get_running_loop().ok());
  s.loop().call_soon([&s] { s.say("inside", get_running_loop().value() == &s.loop()); });
  s.turn();
  s.say("afterwards", get_running_loop().ok());
}

void complete_value(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.loop().call_later(milliseconds(1), [future]() mutable { future.set_result(42); });
  s.say(s.finish(future));
  s.say("again", s.finish(future));
}

void complete_stopped_early(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.loop().call_soon([&s] { s.loop().stop(); });
  s.say(s.finish(future));
  s.say("done", future.done());
  s.loop().call_soon([future]() mutable { future.set_result(1); });
  s.say(s.finish(future));
}

void complete_exception(Stage& s) {
  Future<int> future = s.loop().create_future<int>();
  s.loop().call_soon([future]() mutable { future.set_exception(std::make_exception_ptr(Boom())); });
  s.say(s.finish(future));
}

void exit_leaves(Stage& s) {
  s.loop().call_soon(s.sayer("first"));
  s.loop().call_soon([] { throw Exit(); });
  s.loop().call_soon(s.sayer("behind the exit"));
  try {
    s.run();
  } catch (const ExitException&) {
    s.say("left");
  }
  s.say("running", s.loop().is_running());
  s.turn();
}

void close_twice(Stage& s) {
  s.say(s.loop().close());
  s.say(s.loop().close());
}

void close_while_running(Stage& s) {
  s.loop().call_soon([&s] { s.say(s.loop().close(), "closed", s.loop().is_closed()); });
  s.turn();
  s.say(s.loop().close());
}

void closed_refuses(Stage& s) {
  s.loop().close().value();
  s.say("call_soon", s.loop().call_soon([] {}).accepted());
  s.say("call_later", s.loop().call_later(milliseconds(0), [] {}).accepted());
  s.say("call_at", s.loop().call_at(now(), [] {}).accepted());
  s.say("call_soon_threadsafe", s.loop().call_soon_threadsafe([] {}).accepted());
  s.say("run_forever", s.loop().run_forever());
}

void close_drops_callbacks(Stage& s) {
  struct Witness {
    explicit Witness(Stage& stage) : s(stage) {}
    ~Witness() { s.say("released"); }
    Stage& s;
  };
  auto witness = std::make_shared<Witness>(s);
  s.loop().call_soon([witness] { witness->s.say("ran"); });
  witness.reset();
  s.loop().close().value();
  s.say("closed");
}

constexpr Program kPrograms[] = {
    {"stop.before_run", stop_before_run},
    {"stop.lets_batch_finish", stop_lets_batch_finish},
    {"stop.from_timer", stop_from_timer},
    {"run.states", run_states},
    {"run.nested", run_nested},
    {"run.another_inside", run_another_inside},
    {"run.in_a_thread", run_in_a_thread},
    {"run.marks_loop", run_marks_loop},
    {"complete.value", complete_value},
    {"complete.stopped_early", complete_stopped_early},
    {"complete.exception", complete_exception},
    {"exit.leaves", exit_leaves},
    {"close.twice", close_twice},
    {"close.while_running", close_while_running},
    {"close.refuses_work", closed_refuses},
    {"close.drops_callbacks", close_drops_callbacks},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::lifecycle
