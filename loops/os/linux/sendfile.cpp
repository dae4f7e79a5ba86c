// sendfile(2) of Linux: from anything with pages into anything that can be written.
#include <sys/sendfile.h>

#include <cerrno>

#include "loops/os/file.hpp"
#include "loops/os/posix/sigpipe_guard.hpp"

namespace loopscope::os {

Result<Transfer> sendfile(NativeSocket out, NativeSocket file, std::uint64_t offset,
                          std::size_t max_bytes) {
  SigpipeGuard guard;  // The call has no MSG_NOSIGNAL.
  ssize_t sent = 0;
  do {
    auto from = static_cast<off_t>(offset);  // With it, the file's own position stays.
    sent = ::sendfile(out, file, &from, max_bytes);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Transfer(static_cast<std::size_t>(sent));
  switch (errno) {
    case EAGAIN:
      return Transfer();
    case EINVAL:  // The file has no pages to share, or `out` was opened for appending.
    case ENOSYS:  // Forbidden by a sandbox, or left out of the kernel.
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
