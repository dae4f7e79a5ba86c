// Thread numbers of Linux. Source: man 2 gettid, man 2 tgkill.
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/posix/thread_id.hpp"

namespace loopscope::threads {

long own_id() noexcept { return ::syscall(SYS_gettid); }
void signal(pid_t process, long thread, int signum) noexcept {
  (void)::syscall(SYS_tgkill, process, thread, signum);
}

}  // namespace loopscope::threads
