// No wait monitor: an executable cannot put itself before the functions of a DLL, and on the BSDs
// nobody has written one yet.
#include "harness/wait_monitor.hpp"

namespace loopscope::waits {
bool present() noexcept { return false; }
}  // namespace loopscope::waits
