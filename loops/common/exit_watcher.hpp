// ExitWatcher: how a loop learns that its children have ended. One file for each mechanism.
#pragma once

#include <functional>
#include <memory>

#include "loops/common/readiness_ops.hpp"
#include "loops/descriptor.hpp"
#include "loops/os/child.hpp"

namespace loopscope {

/// Waits for the children it was given and for no others. thread: the loop's.
class ExitWatcher {
 public:
  using Ended = std::function<void(os::ChildEnd)>;

  virtual ~ExitWatcher() = default;
  /// Calls ended(), once, in a later iteration, when the child has ended and was collected.
  /// errors  the system's, when it cannot be watched; the child runs on and is the caller's.
  virtual Result<void> watch(int pid, Ended ended) = 0;
  /// errors  ESRCH once the child was collected, by whomever: its number may be another's by now.
  virtual Result<void> signal(int pid, int signum) = 0;
  /// Watches it no more and calls nobody. true: it was watched, so nobody has collected it yet.
  virtual bool forget(int pid) = 0;
};

/// By a descriptor for each child: race-free, no signal is involved. Needs Linux 5.3.
std::unique_ptr<ExitWatcher> make_pidfd_watcher(Readiness& readiness);
/// By SIGCHLD and one descriptor for all children, while there are some; asks each child then.
std::unique_ptr<ExitWatcher> make_sigchld_watcher(Readiness& readiness);
/// The one that is asked for. automatic: pidfds where opening one works, else SIGCHLD.
/// errors  what refused the pidfd, when a watcher by pidfd was asked for.
Result<std::unique_ptr<ExitWatcher>> make_exit_watcher(ChildWatcher kind, Readiness& readiness);

}  // namespace loopscope
