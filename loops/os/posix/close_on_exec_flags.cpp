// Close-on-exec by flags of the calls themselves. Source: man 2 socket, accept4 and pipe2.
#include <fcntl.h>
#include <unistd.h>

#include "loops/os/posix/close_on_exec.hpp"

namespace loopscope::os {

const std::string_view kAcceptCall = "accept4", kPipeCall = "pipe2";

namespace {
int flags_of(bool blocking) { return SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK); }
}  // namespace

int own_socket(int family, int type, bool blocking) {
  return ::socket(family, type | flags_of(blocking), 0);
}
int own_socketpair(int type, bool blocking, int fds[2]) {
  return ::socketpair(AF_UNIX, type | flags_of(blocking), 0, fds);
}
int own_accept(int fd, sockaddr* address, socklen_t* size) {
  return ::accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int own_pipe(int fds[2]) { return ::pipe2(fds, O_CLOEXEC); }

}  // namespace loopscope::os
