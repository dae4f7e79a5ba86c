// epoll_ctl(2) for a loop that does wrong on purpose.
#include <sys/epoll.h>

#include "harness/posix/inheritance.hpp"

namespace loopscope::posix {

void epoll_remove(os::NativeSocket epoll, os::NativeSocket fd) {
  (void)::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);  // One that is gone is gone.
}

}  // namespace loopscope::posix
