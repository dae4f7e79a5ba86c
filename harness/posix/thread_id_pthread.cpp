// Thread numbers where only pthreads has them: they tell threads of one process apart.
#include <pthread.h>
#include <signal.h>

#include <cstdint>

#include "harness/posix/thread_id.hpp"

namespace loopscope::threads {

long own_id() noexcept {
  return static_cast<long>(reinterpret_cast<std::uintptr_t>(::pthread_self()));
}
void signal(pid_t process, long, int signum) noexcept { (void)::kill(process, signum); }

}  // namespace loopscope::threads
