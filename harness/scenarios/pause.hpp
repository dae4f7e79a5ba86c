// Pause: a future that a timer of the loop ends, for coroutines of scenarios.
#pragma once

#include "loops/event_loop.hpp"

namespace loopscope::scenarios {

/// Done `delay` from now. Lets the loop go on meanwhile; never to wait for something.
inline Future<void> pause(EventLoop& loop, Delay delay) {
  Future<void> done = loop.create_future();
  (void)loop.call_later(delay, [done]() mutable { done.set_result(); });  // never on a closed loop
  return done;
}

}  // namespace loopscope::scenarios
