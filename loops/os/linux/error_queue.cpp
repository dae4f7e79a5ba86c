// The error queue of a socket with IP_RECVERR: while it holds something, the socket stays ready.
// Source: man 7 ip, IP_RECVERR.
#include <sys/socket.h>

#include <array>

#include "loops/os/net.hpp"

namespace loopscope::os {

void drain_error_queue(NativeSocket fd) {
  std::array<char, 512> data, control;
  for (;;) {
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    // An empty queue ends it, and so does any error: there is nothing to be learnt from either.
    if (::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
  }
}

}  // namespace loopscope::os
