// Error queues of sockets: Winsock has none.
#include "loops/os/net.hpp"

namespace loopscope::os {
void drain_error_queue(NativeSocket) {}
}  // namespace loopscope::os
