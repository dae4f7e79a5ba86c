// Pipes, FIFOs and pseudo-terminals on POSIX.
#include "loops/os/pipe.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "loops/os/posix/close_on_exec.hpp"
#include "loops/os/posix/gather.hpp"
#include "loops/os/posix/sigpipe_guard.hpp"
#include "loops/os/posix/transfer.hpp"
#include "loops/os/terminal.hpp"

namespace loopscope::os {

const bool kReadsAsEndedBeforeWriter = true;

Result<Pipe> open_pipe() {
  int fds[2];
  if (own_pipe(fds) != 0) return errno_error(kPipeCall);
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<Pty> open_pty(bool raw) {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return errno_error("posix_openpt");
  if (::grantpt(master.get()) != 0) return errno_error("grantpt");
  if (::unlockpt(master.get()) != 0) return errno_error("unlockpt");
  char name[128];
  if (const int failed = ::ptsname_r(master.get(), name, sizeof name); failed != 0) {
    return errno_error_of(failed, "ptsname_r");
  }
  UniqueFd slave(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return errno_error("open", name);
  if (raw) {
    termios modes{};
    if (::tcgetattr(slave.get(), &modes) != 0) return errno_error("tcgetattr");
    ::cfmakeraw(&modes);
    if (::tcsetattr(slave.get(), TCSANOW, &modes) != 0) return errno_error("tcsetattr");
  }
  return Pty{std::move(master), std::move(slave)};
}

Result<void> make_fifo(const std::string& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) return errno_error("mkfifo", path);
  return {};
}

Result<FdKind> kind_of(NativeSocket fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno_error("fstat");
  if (S_ISREG(status.st_mode)) return FdKind::regular;
  if (S_ISDIR(status.st_mode)) return FdKind::directory;
  if (S_ISFIFO(status.st_mode)) return FdKind::pipe;
  if (S_ISSOCK(status.st_mode)) return FdKind::socket;
  if (S_ISCHR(status.st_mode)) return ::isatty(fd) == 1 ? FdKind::terminal : FdKind::character;
  return FdKind::other;
}

// A job that may not use its terminal now is interrupted at every try, by SIGTTIN or SIGTTOU. The
// loop has to come by in between: for its user to hear the signal, and pause.
Result<Transfer> read(NativeSocket fd, std::span<std::byte> buffer) {
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR && !in_background_of(fd));
  if (got < 0 && errno == EINTR) return Transfer();
  return transfer(got, "read");
}

namespace {
template <class Call>
Result<Transfer> without_sigpipe(std::string_view op, NativeSocket fd, Call&& call) {
  SigpipeGuard guard;
  ssize_t put = 0;
  do {
    put = call();
  } while (put < 0 && errno == EINTR && !in_background_of(fd));
  if (put < 0 && errno == EPIPE) guard.raised();
  if (put < 0 && errno == EINTR) return Transfer();
  return transfer(put, op);
}
}  // namespace

Result<Transfer> write(NativeSocket fd, ByteView data) {
  const std::size_t size = std::min(data.size(), kLargestTransfer);
  return without_sigpipe("write", fd, [&] { return ::write(fd, data.data(), size); });
}

Result<Transfer> writev(NativeSocket fd, std::span<const ByteView> pieces) {
  Gathered gathered(pieces);
  return without_sigpipe("writev", fd, [&] {
    return ::writev(fd, gathered.data(), static_cast<int>(gathered.count()));
  });
}

Result<bool> is_write_only(NativeSocket fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return errno_error("fcntl(F_GETFL)");
  return (flags & O_ACCMODE) == O_WRONLY;
}

Result<UniqueFd> duplicate(NativeSocket fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return errno_error("fcntl(F_DUPFD_CLOEXEC)");
  return copy;
}

}  // namespace loopscope::os
