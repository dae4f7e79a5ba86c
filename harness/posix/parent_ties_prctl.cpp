// Ties to the parent by prctl(2) of Linux. Source: man 2 prctl, PR_SET_PDEATHSIG.
#include <signal.h>
#include <sys/prctl.h>

#include "harness/posix/parent_ties.hpp"

namespace loopscope {

void end_with_parent() noexcept {
#ifdef PR_SET_PDEATHSIG
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}
void adopt_orphans_of_children() noexcept {
#ifdef PR_SET_CHILD_SUBREAPER
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
}

}  // namespace loopscope
