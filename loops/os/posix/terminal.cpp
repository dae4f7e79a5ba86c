// Job control over tcgetpgrp(3), which a terminal that was hung up answers with an error.
#include "loops/os/terminal.hpp"

#include <unistd.h>

namespace loopscope::os {

bool in_background_of(NativeSocket terminal) {
  const pid_t foreground = ::tcgetpgrp(terminal);
  return foreground > 0 && foreground != ::getpgrp();
}

}  // namespace loopscope::os
