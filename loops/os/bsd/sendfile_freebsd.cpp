// sendfile(2) of FreeBSD: a file into a stream socket. Source: FreeBSD man 2 sendfile.
#include <sys/types.h>
// The types first: the calls below need them.
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "loops/os/file.hpp"
#include "loops/os/posix/sigpipe_guard.hpp"

namespace loopscope::os {

Result<Transfer> sendfile(NativeSocket out, NativeSocket file, std::uint64_t offset,
                          std::size_t max_bytes) {
  if (max_bytes == 0) return Transfer(std::size_t{0});  // to the call it means the whole file
  SigpipeGuard guard;
  off_t sent = 0;
  const int failed =
      ::sendfile(file, out, static_cast<off_t>(offset), max_bytes, nullptr, &sent, 0);
  // Also an interrupted call says how far it came; zero of a whole one is the end of the file.
  if (failed == 0 || sent > 0) return Transfer(static_cast<std::size_t>(sent));
  switch (errno) {
    case EAGAIN:
    case EINTR:
      return Transfer();
    case EINVAL:    // not a regular file, or no stream socket
    case ENOTSOCK:  // pipes and terminals
    case EOPNOTSUPP:
      return make_error(Errc::not_supported, "sendfile",
                        "the system cannot transfer between these two descriptors");
    case EPIPE:
      guard.raised();
      break;
    default:
      break;
  }
  return errno_error("sendfile");
}

}  // namespace loopscope::os
