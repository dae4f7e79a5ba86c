// Who has Ctrl-C, on POSIX.
#include "loops/os/interrupt.hpp"

#include <pthread.h>
#include <signal.h>

namespace loopscope::os {
namespace {
const pthread_t g_main_thread = ::pthread_self();  // it initialises what is static
}

const int kInterruptSignal = SIGINT;

bool may_take_interrupt() noexcept {
  if (::pthread_equal(::pthread_self(), g_main_thread) == 0) return false;
  struct sigaction action {};
  if (::sigaction(SIGINT, nullptr, &action) != 0) return false;
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

}  // namespace loopscope::os
