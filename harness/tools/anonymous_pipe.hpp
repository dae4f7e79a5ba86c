// The pipes that programs on Windows hand on: by CreatePipe, whose ends take no overlapped calls.
#pragma once

#include "loops/os/pipe.hpp"

namespace loopscope::tools {

/// Both throw Failure where the system refuses. Windows.
os::Pipe anonymous_pipe();
/// A write of no bytes, which makes a read of none complete at the other end.
void write_nothing(os::NativeSocket pipe);

}  // namespace loopscope::tools
