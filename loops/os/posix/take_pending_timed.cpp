// Taking a pending signal by sigtimedwait(2), which need not wait.
#include <time.h>

#include <cerrno>

#include "loops/os/posix/sigpipe_guard.hpp"

namespace loopscope::os {

void take_pending(const sigset_t& signals) noexcept {
  const timespec none{0, 0};
  while (::sigtimedwait(&signals, nullptr, &none) < 0 && errno == EINTR) {
  }
}

}  // namespace loopscope::os
