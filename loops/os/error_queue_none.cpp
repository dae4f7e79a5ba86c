// Error queues of sockets: only Linux has them.
#include "loops/os/net.hpp"

namespace loopscope::os {
void drain_error_queue(NativeSocket) {}
}  // namespace loopscope::os
