// A write of no bytes, which on Windows makes a read of none complete at the other end.
#pragma once

#include "loops/os/pipe.hpp"

namespace loopscope::tools {

/// thread  any. Windows.
void write_nothing(os::NativeSocket pipe);

}  // namespace loopscope::tools
