// Ported programs: signal handlers of a loop. What they check: test_events.py, test_unix_events.py.
#include <csignal>
#include <thread>

#include "ci/ported/program.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::ported::signals {
namespace {

void delivered(Stage& s) {
  s.say("add", s.loop().add_signal_handler(SIGUSR1, s.sayer("SIGUSR1")));
  tools::raise_in_process(SIGUSR1);
  s.say("sent");
  s.turn(3);
  s.say("remove", s.loop().remove_signal_handler(SIGUSR1));
  s.say("again", s.loop().remove_signal_handler(SIGUSR1));
}

void replaced(Stage& s) {
  s.loop().add_signal_handler(SIGUSR1, s.sayer("first")).value();
  s.loop().add_signal_handler(SIGUSR1, s.sayer("second")).value();
  tools::raise_in_process(SIGUSR1);
  s.turn(3);
}

void wakes_a_wait(Stage& s) {
  s.loop().add_signal_handler(SIGUSR2, [&s] { s.say("SIGUSR2"), s.loop().stop(); }).value();
  std::thread sender([] {
    std::this_thread::sleep_for(milliseconds(20));
    tools::raise_in_process(SIGUSR2);
  });
  s.run();
  sender.join();
}

void two_in_order(Stage& s) {
  s.loop().add_signal_handler(SIGUSR1, s.sayer("SIGUSR1")).value();
  s.loop().add_signal_handler(SIGUSR2, s.sayer("SIGUSR2")).value();
  tools::raise_in_process(SIGUSR1);
  tools::raise_in_process(SIGUSR2);
  s.turn(4);
}

void raises(Stage& s) {
  s.say_reports();
  s.loop().add_signal_handler(SIGUSR1, [] { throw Boom(); }).value();
  tools::raise_in_process(SIGUSR1);
  s.turn(3);
}

void removed_while_queued(Stage& s) {
  s.loop().add_signal_handler(SIGUSR1, s.sayer("never")).value();
  tools::raise_in_process(SIGUSR1);
  s.say("remove", s.loop().remove_signal_handler(SIGUSR1));
  s.turn(3);
}

void cannot_be_caught(Stage& s) {
  s.say("SIGKILL", s.loop().add_signal_handler(SIGKILL, [] {}));
  s.say("SIGSTOP", s.loop().add_signal_handler(SIGSTOP, [] {}));
  s.say("usable", s.loop().add_signal_handler(SIGUSR1, [] {}));
}

void no_such_number(Stage& s) {
  s.say("0", s.loop().add_signal_handler(0, [] {}).ok());
  s.say("1000", s.loop().add_signal_handler(1000, [] {}).ok());
  s.say("never added", s.loop().remove_signal_handler(SIGUSR1));
}

void disposition_comes_back(Stage& s) {
  s.say(tools::disposition(SIGUSR1));
  s.loop().add_signal_handler(SIGUSR1, [] {}).value();
  s.say(tools::disposition(SIGUSR1));
  (void)s.loop().remove_signal_handler(SIGUSR1).value();
  s.say(tools::disposition(SIGUSR1));
  s.loop().add_signal_handler(SIGUSR2, [] {}).value();
  s.loop().close().value();
  s.say("after close", tools::disposition(SIGUSR2));
}

void of_two_loops(Stage& s) {
  const auto other = s.another();
  s.loop().add_signal_handler(SIGUSR1, s.sayer("first loop")).value();
  s.say("second loop", other->add_signal_handler(SIGUSR1, s.sayer("second loop")));
  other->close().value();
}

constexpr Program kPrograms[] = {
    {"signals.delivered", delivered},
    {"signals.replaced", replaced},
    {"signals.wakes_a_wait", wakes_a_wait},
    {"signals.two_in_order", two_in_order},
    {"signals.raises", raises},
    {"signals.removed_while_queued", removed_while_queued},
    {"signals.cannot_be_caught", cannot_be_caught},
    {"signals.no_such_number", no_such_number},
    {"signals.disposition_comes_back", disposition_comes_back},
    {"signals.of_two_loops", of_two_loops},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::signals
