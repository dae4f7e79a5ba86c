// Pipes as only Windows has them.
#pragma once

#include "loops/os/pipe.hpp"

namespace loopscope::tools {

/// A write of no bytes, which makes a read of none complete at the other end.
/// thread  any.
void write_nothing(os::NativeSocket pipe);

/// As CreatePipe makes them and most programs have them: no overlapped calls, each call blocks.
os::Pipe open_synchronous_pipe();

}  // namespace loopscope::tools
