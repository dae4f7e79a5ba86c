// Names of signals by sigabbrev_np(3) of the GNU C library.
#include <string.h>

#include "harness/posix/signal_name.hpp"

namespace loopscope {
const char* signal_abbreviation(int number) { return ::sigabbrev_np(number); }
}  // namespace loopscope
