// Children as descriptors: pidfd_open(2), waitid(P_PIDFD) and pidfd_send_signal(2).
//
// Quirks handled here; each has a probe with the same id, so a report can say "measured":
//   pidfd.open    a number that was collected already gives ESRCH.
//   pidfd.waitid  waiting by descriptor is younger (5.4) than the descriptor (5.3).
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "loops/os/child.hpp"

namespace loopscope::os {
namespace {
constexpr auto kByPidfd = static_cast<idtype_t>(3);  // P_PIDFD, which older headers lack
}  // namespace

Result<UniqueFd> open_pidfd(int pid) {
  UniqueFd opened(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!opened) return errno_error("pidfd_open");
  return opened;
}

std::optional<ChildEnd> collect_by_pidfd(NativeSocket pidfd) {
  siginfo_t info{};
  int got = -1;
  do {
    got = ::waitid(kByPidfd, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ChildEnd{};  // ECHILD: collected already
  if (info.si_pid == 0) return std::nullopt;
  return ChildEnd{info.si_code == CLD_EXITED ? info.si_status : -info.si_status};
}

Result<void> signal_by_pidfd(NativeSocket pidfd, int signum) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signum, nullptr, 0) != 0) {
    return errno_error("pidfd_send_signal");
  }
  return {};
}

}  // namespace loopscope::os
