// Who has Ctrl-C, on Windows.
#include "loops/os/interrupt.hpp"

#include <csignal>

#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {
const DWORD g_main_thread = ::GetCurrentThreadId();  // it initialises what is static
}

const int kInterruptSignal = SIGINT;

bool may_take_interrupt() noexcept {
  if (::GetCurrentThreadId() != g_main_thread) return false;
  // Asking is setting, here; and nobody else runs meanwhile who would notice.
  const auto present = std::signal(SIGINT, SIG_DFL);
  if (present != SIG_DFL && present != SIG_ERR) (void)std::signal(SIGINT, present);
  return present == SIG_DFL;
}

}  // namespace loopscope::os
