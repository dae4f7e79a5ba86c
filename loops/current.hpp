// The loop of this thread: which one runs, which one is set.
#pragma once

#include "loops/base/result.hpp"

namespace loopscope {

class EventLoop;

/// The loop that runs on this thread now, or null.
EventLoop* running_loop() noexcept;
/// The same as a Result; error invalid_state outside of a run. source: asyncio.get_running_loop
Result<EventLoop*> get_running_loop();

/// Marks a loop as running on this thread for a scope; restores what was marked before.
class RunningLoopScope {
 public:
  explicit RunningLoopScope(EventLoop* loop) noexcept;
  ~RunningLoopScope();
  RunningLoopScope(const RunningLoopScope&) = delete;
  RunningLoopScope& operator=(const RunningLoopScope&) = delete;

 private:
  EventLoop* previous_;
};

}  // namespace loopscope
