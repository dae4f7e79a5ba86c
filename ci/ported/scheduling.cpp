// Ported programs: callbacks and timers. What they check: test_events.py, test_base_events.py.
#include <thread>

#include "ci/ported/program.hpp"

namespace loopscope::ported::scheduling {
namespace {

void soon_in_order(Stage& s) {
  for (const char* name : {"a", "b", "c"}) s.loop().call_soon(s.sayer(name));
  s.turn();
}

void soon_nested(Stage& s) {
  s.loop().call_soon([&s] {
    s.say("outer");
    s.loop().call_soon([&s] {
      s.say("nested");
      s.loop().call_soon([&s] { s.say("innermost"), s.loop().stop(); });
    });
  });
  s.loop().call_soon(s.sayer("sibling"));
  s.run();
}

void soon_cancelled(Stage& s) {
  Handle before = s.loop().call_soon(s.sayer("cancelled before"));
  Handle victim;
  s.loop().call_soon([&] { s.say("first"), victim.cancel(); });
  victim = s.loop().call_soon(s.sayer("cancelled by a sibling"));
  s.loop().call_soon(s.sayer("last"));
  before.cancel();
  before.cancel();
  s.turn();
}

void soon_cancels_itself(Stage& s) {
  Handle mine;
  mine = s.loop().call_soon([&] { mine.cancel(), s.say("runs on"); });
  s.turn(2);
}

void soon_between_runs(Stage& s) {
  s.loop().call_soon([&s] {
    s.say("first");
    s.loop().stop();
    s.loop().call_soon(s.sayer("queued behind the stop"));
  });
  s.run();
  s.say("stopped");
  s.turn();
}

void timers_in_order(Stage& s) {
  for (const int delay : {30, 10, 20}) {
    s.loop().call_later(milliseconds(delay), [&s, delay] {
      s.say(delay);
      if (delay == 30) s.loop().stop();
    });
  }
  s.run();
}

void timers_negative(Stage& s) {
  s.loop().call_later(milliseconds(-1), s.sayer("1 ms ago"));
  s.loop().call_later(milliseconds(-2), s.sayer("2 ms ago"));
  s.loop().call_later(milliseconds(0), s.sayer("now"));
  s.loop().call_soon(s.sayer("soon"));
  s.turn(2);
}

void timers_in_the_past(Stage& s) {
  const TimePoint now = s.loop().time();
  s.loop().call_at(now - milliseconds(5), s.sayer("b"));
  s.loop().call_at(now - milliseconds(10), s.sayer("a"));
  s.loop().call_at(now - milliseconds(1), s.sayer("c"));
  s.turn();
}

void timers_of_one_deadline(Stage& s) {
  const TimePoint when = s.loop().time() - milliseconds(1);
  for (const char* name : {"a", "b", "c", "d", "e"}) s.loop().call_at(when, s.sayer(name));
  s.turn();
}

void timers_cancelled(Stage& s) {
  TimerHandle early = s.loop().call_later(milliseconds(1), s.sayer("never"));
  TimerHandle victim;
  s.loop().call_later(milliseconds(2), [&] { s.say("first"), victim.cancel(); });
  victim = s.loop().call_later(milliseconds(3), s.sayer("never"));
  s.loop().call_later(milliseconds(10), [&s] { s.say("last"), s.loop().stop(); });
  early.cancel();
  s.run();
  early.cancel();
}

void timers_cancelled_when_due(Stage& s) {
  const TimePoint now = s.loop().time();
  TimerHandle victim;
  s.loop().call_at(now - milliseconds(2), [&] { s.say("first"), victim.cancel(); });
  victim = s.loop().call_at(now - milliseconds(1), s.sayer("never"));
  s.turn(3);
}

void timers_when(Stage& s) {
  const TimePoint before = s.loop().time();
  TimerHandle timer = s.loop().call_later(std::chrono::seconds(10), [] {});
  s.say("not earlier", timer.when() >= before + std::chrono::seconds(10));
  s.say("not much later", timer.when() < before + std::chrono::seconds(60));
  const TimePoint at = before + std::chrono::seconds(5);
  TimerHandle exact = s.loop().call_at(at, [] {});
  exact.cancel();
  s.say("exactly, also when cancelled", exact.when() == at);
}

void timers_nested(Stage& s) {
  s.loop().call_later(milliseconds(0), [&s] {
    s.say("timer");
    s.loop().call_soon(s.sayer("soon"));
    s.loop().call_later(milliseconds(0), [&s] { s.say("timer of a timer"), s.loop().stop(); });
  });
  s.run();
}

void timers_survive_runs(Stage& s) {
  s.loop().call_later(milliseconds(5), [&s] { s.say("timer"), s.loop().stop(); });
  s.turn();
  s.say("between");
  s.run();
}

void timer_before_its_time(Stage& s) {
  const TimePoint begin = s.loop().time();
  s.loop().call_later(milliseconds(20), [&] { s.loop().stop(); });
  s.run();
  // asyncio runs a timer up to one resolution of its clock early.
  s.say("waited", s.loop().time() - begin >= milliseconds(19));
}

void threadsafe_same_thread(Stage& s) {
  s.loop().call_soon_threadsafe(s.sayer("threadsafe"));
  s.loop().call_soon(s.sayer("soon"));
  s.turn();
}

void threadsafe_same_thread_running(Stage& s) {
  s.loop().call_soon([&s] {
    s.loop().call_soon(s.sayer("soon"));
    s.loop().call_soon_threadsafe(s.sayer("threadsafe"));
    s.loop().call_soon([&s] { s.say("soon again"); });
    s.loop().call_later(milliseconds(10), [&s] { s.loop().stop(); });
  });
  s.run();
}

void threadsafe_other_thread(Stage& s) {
  std::thread other([&s] {
    for (const char* name : {"a", "b", "c"}) s.loop().call_soon_threadsafe(s.sayer(name));
    s.loop().call_soon_threadsafe([&s] { s.loop().stop(); });
  });
  s.run();
  other.join();
}

void threadsafe_cancelled(Stage& s) {
  Handle handle = s.loop().call_soon_threadsafe(s.sayer("never"));
  handle.cancel();
  s.turn(2);
  s.say("done");
}

constexpr Program kPrograms[] = {
    {"soon.in_order", soon_in_order},
    {"soon.nested", soon_nested},
    {"soon.cancelled", soon_cancelled},
    {"soon.cancels_itself", soon_cancels_itself},
    {"soon.between_runs", soon_between_runs},
    {"timers.in_order", timers_in_order},
    {"timers.negative", timers_negative},
    {"timers.in_the_past", timers_in_the_past},
    {"timers.of_one_deadline", timers_of_one_deadline},
    {"timers.cancelled", timers_cancelled},
    {"timers.cancelled_when_due", timers_cancelled_when_due},
    {"timers.when", timers_when},
    {"timers.nested", timers_nested},
    {"timers.survive_runs", timers_survive_runs},
    {"timers.not_early", timer_before_its_time},
    {"threadsafe.same_thread", threadsafe_same_thread},
    {"threadsafe.same_thread_running", threadsafe_same_thread_running},
    {"threadsafe.other_thread", threadsafe_other_thread},
    {"threadsafe.cancelled", threadsafe_cancelled},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::scheduling
