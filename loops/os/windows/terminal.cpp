// Job control: consoles have none.
#include "loops/os/terminal.hpp"

namespace loopscope::os {

bool in_background_of(NativeSocket) { return false; }

}  // namespace loopscope::os
