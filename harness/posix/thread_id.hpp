// Threads of a process as the kernel numbers them.
#pragma once

#include <sys/types.h>

namespace loopscope::threads {

/// The calling thread's number. Async-signal-safe.
long own_id() noexcept;
/// Sends a signal to one thread of another process; to the process where threads have no address.
void signal(pid_t process, long thread, int signum) noexcept;

}  // namespace loopscope::threads
