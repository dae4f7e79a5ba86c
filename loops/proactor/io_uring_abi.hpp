// The interface of io_uring, with what is newer than the headers of liburing 2.3.
#pragma once

#include <liburing.h>

namespace loopscope::uring {

// Linux 6.6. Since it is not known to liburing 2.3 either, the rings are mapped by
// io_uring_queue_mmap() but filled by us.
inline constexpr unsigned kSetupNoSqArray = 1U << 16;

/// The kernel's own codes for a call that a signal cut short. They are no errno of a system call,
/// but an operation that runs in a worker thread of the kernel hands them on.
inline constexpr int kFirstRestart = 512;  // ERESTARTSYS
inline constexpr int kLastRestart = 516;   // ERESTART_RESTARTBLOCK

}  // namespace loopscope::uring
