// Children of this process: how they end, how one is told of it, and how they are signalled.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"

namespace loopscope::os {

/// What kill() and terminate() of a process transport send.
extern const int kKillSignal, kTerminateSignal;

/// How a child ended.
struct ChildEnd {
  /// The exit code, or minus the number of the signal that ended it; nullopt: somebody else has
  /// collected it, and nobody can say.
  std::optional<int> code;
  friend bool operator==(const ChildEnd&, const ChildEnd&) = default;
};

/// Collects the status of this child and of no other, without blocking. nullopt: it has not ended;
/// a stopped child has not. thread: any, but one at a time for each child.
std::optional<ChildEnd> collect(int pid);
/// The same, and waits for the end. For a child that was killed.
ChildEnd collect_waiting(int pid);
/// errors  ESRCH when the child was collected already: the number may be another process's.
Result<void> signal_child(int pid, int signum);

/// A descriptor that stands for the child itself, whatever becomes of its number: readable from
/// its end on. Close-on-exec. source: man 2 pidfd_open, Linux 5.3
/// errors  ESRCH when the child was collected already; ENOSYS, EPERM where there is no such thing.
Result<UniqueFd> open_pidfd(int pid);
std::optional<ChildEnd> collect_by_pidfd(NativeSocket pidfd);
Result<void> signal_by_pidfd(NativeSocket pidfd, int signum);

/// SIGCHLD as a descriptor: readable when some child may have ended. Takes nothing away from other
/// handlers: what handled the signal before is still called, and a program that had it ignored
/// still leaves no zombies.
///
/// limits  A program that replaces the handler while children run has to pass the signal on.
class ChildSignal {
 public:
  virtual ~ChildSignal() = default;
  virtual NativeSocket descriptor() const = 0;
  /// Makes it unreadable, until the next signal.
  virtual void drain() noexcept = 0;
};
Result<std::unique_ptr<ChildSignal>> listen_to_children();

/// Tells once, from another thread, that a child has ended; its destructor waits for a call that is
/// under way. Windows.
class ExitNotice {
 public:
  virtual ~ExitNotice() = default;
};
/// errors  ESRCH when the child was collected already.
Result<std::unique_ptr<ExitNotice>> notice_exit(int pid, std::function<void()> ended);

}  // namespace loopscope::os
