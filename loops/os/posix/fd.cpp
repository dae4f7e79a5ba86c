// Opening and closing descriptors and knowing the process, on POSIX.
#include "loops/os/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "loops/os/process_id.hpp"

namespace loopscope::os {

Result<void> close_fd(NativeSocket fd) {
  if (::close(fd) != 0) return errno_error("close");
  return {};
}

Result<UniqueFd> open_path(const std::string& path, bool writable) {
  const int access = writable ? O_RDWR : O_RDONLY;
  for (;;) {
    UniqueFd opened(::open(path.c_str(), access | O_CLOEXEC | O_NOCTTY));
    if (opened) return opened;
    if (errno != EINTR) return errno_error("open", path);
  }
}

Result<bool> is_inheritable(NativeSocket fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return errno_error("fcntl(F_GETFD)");
  return (flags & FD_CLOEXEC) == 0;
}

long process_id() noexcept { return static_cast<long>(::getpid()); }

}  // namespace loopscope::os
