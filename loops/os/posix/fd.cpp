// Closing descriptors and knowing the process, on POSIX.
#include "loops/os/fd.hpp"

#include <unistd.h>

#include "loops/os/process_id.hpp"

namespace loopscope::os {

Result<void> close_fd(NativeSocket fd) {
  if (::close(fd) != 0) return errno_error("close");
  return {};
}

long process_id() noexcept { return static_cast<long>(::getpid()); }

}  // namespace loopscope::os
