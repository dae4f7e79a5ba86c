// Names of signals by the table of the BSDs. Source: macOS man 3 psignal, sys_signame.
#include <signal.h>
#include <unistd.h>

#include "harness/posix/signal_name.hpp"

namespace loopscope {
const char* signal_abbreviation(int number) {
  return number > 0 && number < NSIG ? sys_signame[number] : nullptr;
}
}  // namespace loopscope
