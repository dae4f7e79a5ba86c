// Close-on-exec right after: Darwin has no flag for it. Its sockets also learn here that a broken
// connection is no reason for SIGPIPE. Source: macOS man 2 fcntl; macOS man 2 setsockopt,
// SO_NOSIGPIPE.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "loops/os/posix/close_on_exec.hpp"

namespace loopscope::os {

const std::string_view kAcceptCall = "accept", kPipeCall = "pipe";

namespace {

bool adjust(int fd, bool blocking) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return false;
  const int flags = ::fcntl(fd, F_GETFL);
  // An accepted socket has the listener's O_NONBLOCK here.
  const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  return flags >= 0 && (wanted == flags || ::fcntl(fd, F_SETFL, wanted) == 0);
}

void without_sigpipe(int fd) {
  const int on = 1;
  // EINVAL: the peer of a new connection has gone already, and there is nothing to send to.
  (void)::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

int socket_or_close(int fd, bool blocking) {
  if (fd < 0) return fd;
  if (adjust(fd, blocking)) {
    without_sigpipe(fd);
    return fd;
  }
  const int failed = errno;
  ::close(fd);
  errno = failed;
  return -1;
}

int pair_or_close(int fds[2], bool blocking) {
  if (adjust(fds[0], blocking) && adjust(fds[1], blocking)) return 0;
  const int failed = errno;
  ::close(fds[0]);
  ::close(fds[1]);
  errno = failed;
  return -1;
}

}  // namespace

int own_socket(int family, int type, bool blocking) {
  return socket_or_close(::socket(family, type, 0), blocking);
}
int own_socketpair(int type, bool blocking, int fds[2]) {
  if (::socketpair(AF_UNIX, type, 0, fds) != 0) return -1;
  without_sigpipe(fds[0]);
  without_sigpipe(fds[1]);
  return pair_or_close(fds, blocking);
}
int own_accept(int fd, sockaddr* address, socklen_t* size) {
  return socket_or_close(::accept(fd, address, size), false);
}
int own_pipe(int fds[2]) { return ::pipe(fds) != 0 ? -1 : pair_or_close(fds, true); }

}  // namespace loopscope::os
