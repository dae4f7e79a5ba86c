// Ported programs: executors and names. What they check: test_events.py, test_base_events.py.
#include <latch>
#include <stdexcept>
#include <thread>

#include "ci/ported/recorders.hpp"

namespace loopscope::ported::executors {
namespace {

void value(Stage& s) {
  const auto here = std::this_thread::get_id();
  bool elsewhere = false;
  auto work = s.loop().run_in_executor([&elsewhere, here] {
    elsewhere = std::this_thread::get_id() != here;
    return 42;
  });
  s.say("done", work.done());
  s.say(s.finish(work));
  s.say("in another thread", elsewhere);
}

void exception(Stage& s) {
  s.say(s.finish(s.loop().run_in_executor([]() -> int { throw Boom(); })));
}

void loop_goes_on(Stage& s) {
  std::latch gate(1);
  auto work = s.loop().run_in_executor([&gate] { gate.wait(); });
  s.turn(3);
  s.say("done", work.done());
  gate.count_down();
  s.say(s.finish(work));
}

void cancelled_while_queued(Stage& s) {
  s.say("set", s.loop().set_default_executor(make_thread_pool(1)).ok());
  std::latch gate(1);
  auto first = s.loop().run_in_executor([&gate] { gate.wait(); });
  auto second = s.loop().run_in_executor(s.sayer("never"));
  s.say("cancel", second.cancel());
  s.turn();
  gate.count_down();
  s.say(s.finish(first));
  s.say(s.finish(second));
  s.turn(2);
}

void shut_down(Stage& s) {
  auto work = s.loop().run_in_executor([] { return 1; });
  s.say(s.finish(s.loop().shutdown_default_executor()));
  s.say("its work", s.finish(work));
  s.say("more", s.finish(s.loop().run_in_executor([] { return 2; })));
  s.say("again", s.finish(s.loop().shutdown_default_executor()));
}

void own_executor(Stage& s) {
  const auto pool = make_thread_pool(1);
  s.say(s.finish(s.loop().run_in_executor([] { return 3; }, pool)));
  s.say(s.finish(s.loop().shutdown_default_executor()));
  s.say("of its own", s.finish(s.loop().run_in_executor([] { return 4; }, pool)));
  (void)pool->shutdown({});
}

void of_a_closed_loop(Stage& s) {
  s.loop().close().value();
  s.say(s.loop().run_in_executor([] { return 1; }).result());
}

AddressHints numeric() {
  AddressHints hints;
  hints.numeric_host = true;
  return hints;
}
std::string resolve(Stage& s, std::string host, std::string service, AddressHints hints) {
  const auto found =
      s.loop().run_until_complete(s.loop().getaddrinfo(std::move(host), std::move(service), hints));
  if (!found.ok()) return word(found.error());
  std::string all;
  for (const Endpoint& one : *found) all += (all.empty() ? "" : " ") + one.to_string();
  return all;
}

void names_literal(Stage& s) {
  s.say(resolve(s, "127.0.0.1", "80", {}));
  s.say(resolve(s, "::1", "443", {}));
  s.say(resolve(s, "192.0.2.7", "0", numeric()));
}

void names_refused(Stage& s) {
  s.say(resolve(s, "a-name", "80", numeric()));
  AddressHints family = numeric();
  family.family = AddressFamily::ipv6;
  s.say("other family", resolve(s, "127.0.0.1", "80", family) != "[::1]:80");
}

void names_back(Stage& s) {
  NameInfoFlags flags;
  flags.numeric_host = flags.numeric_service = true;
  const NameInfo name =
      s.loop()
          .run_until_complete(s.loop().getnameinfo(Endpoint::ip("127.0.0.1", 80).value(), flags))
          .value();
  s.say(name.host, name.service);
}

constexpr Program kPrograms[] = {
    {"executor.value", value},
    {"executor.exception", exception},
    {"executor.loop_goes_on", loop_goes_on},
    {"executor.cancelled_while_queued", cancelled_while_queued},
    {"executor.shut_down", shut_down},
    {"executor.own_executor", own_executor},
    {"executor.of_a_closed_loop", of_a_closed_loop},
    {"names.literal", names_literal},
    {"names.refused", names_refused},
    {"names.back", names_back},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::executors
