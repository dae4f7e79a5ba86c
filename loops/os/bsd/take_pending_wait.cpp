// Taking a pending signal by sigwait(2), which waits: Darwin and OpenBSD have no sigtimedwait(2).
#include "loops/os/posix/sigpipe_guard.hpp"

// sigismember is a macro on some of them, which no :: can stand before.
namespace loopscope::os {

void take_pending(const sigset_t& signals) noexcept {
  sigset_t pending;
  if (::sigpending(&pending) != 0) return;
  for (int signum = 1; signum < NSIG; ++signum) {
    if (sigismember(&signals, signum) != 1 || sigismember(&pending, signum) != 1) continue;
    int taken = 0;
    // It is this thread's own: a broken pipe signals the thread that met it.
    (void)::sigwait(&signals, &taken);
    return;
  }
}

}  // namespace loopscope::os
