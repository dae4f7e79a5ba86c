// No wait monitor on Windows: an executable cannot put itself before the functions of a DLL.
#include "harness/wait_monitor.hpp"

namespace loopscope::waits {
bool present() noexcept { return false; }
}  // namespace loopscope::waits
