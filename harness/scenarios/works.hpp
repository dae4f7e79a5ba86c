// Works: a little of everything on a loop, where nothing may be checked: in a child, say.
#pragma once

namespace loopscope {
class EventLoop;
}

namespace loopscope::scenarios {

/// Runs a timer, a reader and a threadsafe call. 0 when all of it works, else a number from 10 to
/// 19 that says what does not.
int works(EventLoop& loop);

}  // namespace loopscope::scenarios
