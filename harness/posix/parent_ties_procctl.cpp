// Ties to the parent by procctl(2) of FreeBSD. Source: FreeBSD man 2 procctl.
#include <sys/types.h>
// The types first: procctl.h uses them.
#include <signal.h>
#include <sys/procctl.h>

#include "harness/posix/parent_ties.hpp"

namespace loopscope {

void end_with_parent() noexcept {
  int signum = SIGKILL;
  (void)::procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &signum);
}
void adopt_orphans_of_children() noexcept { (void)::procctl(P_PID, 0, PROC_REAP_ACQUIRE, nullptr); }

}  // namespace loopscope
