// The refusals of what policies will do.
#include "loops/policy.hpp"

#include "loops/current.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {
namespace {
Error refusal(std::string_view op) { return make_error(Errc::not_supported, op); }
}  // namespace

Result<EventLoop*> get_event_loop() {
  if (EventLoop* loop = running_loop()) return loop;
  return refusal("get_event_loop");
}
Result<void> set_event_loop(EventLoop*) { return refusal("set_event_loop"); }
Result<std::unique_ptr<EventLoop>> new_event_loop() { return refusal("new_event_loop"); }
Result<EventLoopPolicy*> get_event_loop_policy() { return refusal("get_event_loop_policy"); }
Result<void> set_event_loop_policy(std::unique_ptr<EventLoopPolicy>) {
  return refusal("set_event_loop_policy");
}
Result<void> run(Coro<void>, LoopFactory) { return refusal("run"); }

}  // namespace loopscope
