// The thread's running loop. After fork() the child has none: its thread runs nothing.
#include "loops/current.hpp"

#include "loops/os/process_id.hpp"

namespace loopscope {
namespace {
thread_local EventLoop* t_running = nullptr;
thread_local long t_running_pid = 0;  // a forked child inherits the marker, but not the run
}  // namespace

EventLoop* running_loop() noexcept {
  if (t_running == nullptr || t_running_pid != os::process_id()) return nullptr;
  return t_running;
}

Result<EventLoop*> get_running_loop() {
  EventLoop* loop = running_loop();
  if (loop == nullptr) {
    return make_error(Errc::invalid_state, "get_running_loop", "no loop runs on this thread");
  }
  return loop;
}

RunningLoopScope::RunningLoopScope(EventLoop* loop) noexcept : previous_(t_running) {
  t_running = loop;
  t_running_pid = os::process_id();
}
RunningLoopScope::~RunningLoopScope() { t_running = previous_; }

}  // namespace loopscope
