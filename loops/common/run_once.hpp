// What the tests of loops share: one iteration at a time.
#pragma once

#include <doctest/doctest.h>

#include "loops/event_loop.hpp"

namespace loopscope::testing {

/// One iteration: what is ready now runs, what it makes ready waits for the next one.
inline void run_once(EventLoop& loop) {
  loop.stop();
  REQUIRE(loop.run_forever().ok());
}

}  // namespace loopscope::testing
