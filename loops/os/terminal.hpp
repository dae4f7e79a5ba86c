// Terminals and job control, without a platform header.
#pragma once

#include "loops/os/native.hpp"

namespace loopscope::os {

/// Is it the controlling terminal of this process, and another process group in its foreground?
/// Then reading fails with EIO, or raises SIGTTIN and fails with EINTR. False for all else.
bool in_background_of(NativeSocket terminal);

}  // namespace loopscope::os
