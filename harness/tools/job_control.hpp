// Job control: a check that runs as a background job of a terminal.
#pragma once

#include <functional>

#include "loops/os/native.hpp"

namespace loopscope::tools {

struct JobStory {
  int stopped_by = 0;  // the first signal that stopped it; 0: none did
  int status = 0;      // as of wait_for_child
};

/// Runs `work` in a job of a new session, in the background of its terminal. A job that stops is
/// put into the foreground, once, and goes on there. Returns when the job has ended.
JobStory in_background_of(os::NativeSocket terminal, const std::function<int()>& work);

}  // namespace loopscope::tools
