// epoll_ctl(2) for a loop that does wrong on purpose.
#include <sys/epoll.h>

#include "harness/tools/inheritance.hpp"

namespace loopscope::tools {

void epoll_remove(os::NativeSocket epoll, os::NativeSocket fd) {
  (void)::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);  // One that is gone is gone.
}

}  // namespace loopscope::tools
