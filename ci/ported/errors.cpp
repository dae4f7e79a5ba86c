// Ported programs: exception handlers and debug mode. What they check: test_base_events.py.
#include <thread>

#include "ci/ported/program.hpp"

namespace loopscope::ported::errors {
namespace {

void callback_raises(Stage& s) {
  s.say_reports();
  s.loop().call_soon([] { throw Boom(); });
  s.loop().call_soon(s.sayer("goes on"));
  s.loop().call_later(milliseconds(0), [] { throw Boom(); });
  s.turn(2);
}

void default_handler_logs(Stage& s) {
  s.say_log();
  s.loop().call_soon([] { throw Boom(); });
  s.turn();
}

void handler_raises(Stage& s) {
  s.say_log();
  s.loop().set_exception_handler([&s](EventLoop&, const ExceptionContext&) {
    s.say("handler");
    throw Boom();
  });
  s.loop().call_soon([] { throw Boom(); });
  s.loop().call_soon(s.sayer("goes on"));
  s.turn();
}

void handler_exits(Stage& s) {
  s.loop().set_exception_handler([](EventLoop&, const ExceptionContext&) { throw Exit(); });
  s.loop().call_soon([] { throw Boom(); });
  s.loop().call_soon(s.sayer("kept"));
  try {
    s.run();
  } catch (const ExitException&) {
    s.say("left");
  }
  s.turn();
}

void handler_unset(Stage& s) {
  s.say_log();
  s.say_reports();
  s.say("set", static_cast<bool>(s.loop().get_exception_handler()));
  s.loop().set_exception_handler(nullptr);
  s.say("set", static_cast<bool>(s.loop().get_exception_handler()));
  s.loop().call_soon([] { throw Boom(); });
  s.turn();
}

void handler_called_by_hand(Stage& s) {
  s.say_log();
  ExceptionContext context;
  context.message = "by hand";
  s.loop().call_exception_handler(context);
  s.say_reports();
  s.loop().call_exception_handler(context);
  context.exception = std::make_exception_ptr(Boom());
  s.loop().call_exception_handler(context);
}

void handler_delegates(Stage& s) {
  s.say_log();
  s.loop().set_exception_handler([&s](EventLoop& loop, const ExceptionContext& context) {
    s.say("delegates", &loop == &s.loop());
    loop.default_exception_handler(context);
  });
  s.loop().call_soon([] { throw Boom(); });
  s.turn();
}

void handler_replaces_itself(Stage& s) {
  s.loop().set_exception_handler([&s](EventLoop&, const ExceptionContext&) {
    s.say("first");
    s.say_reports();
  });
  s.loop().call_soon([] { throw Boom(); });
  s.loop().call_soon([] { throw Boom(); });
  s.turn();
}

void busy_for(Duration time) {
  const TimePoint end = now() + time;
  while (now() < end) std::this_thread::yield();
}
void debug_slow_callback(Stage& s) {
  s.say_log();
  s.loop().set_slow_callback_duration(milliseconds(20));
  s.loop().call_soon([] { busy_for(milliseconds(25)); });
  s.turn();
  s.say("debug", s.loop().get_debug());
  s.loop().set_debug(true);
  s.say("debug", s.loop().get_debug());
  s.loop().call_soon([] { busy_for(milliseconds(25)); });
  s.turn();
}

void debug_wrong_thread(Stage& s) {
  s.loop().set_debug(true);
  s.loop().set_slow_callback_duration(std::chrono::seconds(60));
  s.loop().call_soon([&s] {
    std::thread other([&s] {
      s.say("call_soon", s.loop().call_soon([] {}).accepted());
      s.say("call_later", s.loop().call_later(milliseconds(0), [] {}).accepted());
      s.say("call_at", s.loop().call_at(s.loop().time(), [] {}).accepted());
      s.say("call_soon_threadsafe", s.loop().call_soon_threadsafe(s.sayer("crossed")).accepted());
    });
    other.join();
  });
  s.turn(2);
}

constexpr Program kPrograms[] = {
    {"errors.callback_raises", callback_raises},
    {"errors.default_handler_logs", default_handler_logs},
    {"errors.handler_raises", handler_raises},
    {"errors.handler_exits", handler_exits},
    {"errors.handler_unset", handler_unset},
    {"errors.handler_called_by_hand", handler_called_by_hand},
    {"errors.handler_delegates", handler_delegates},
    {"errors.handler_replaces_itself", handler_replaces_itself},
    {"debug.slow_callback", debug_slow_callback},
    {"debug.wrong_thread", debug_wrong_thread},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::errors
