// futex(2) with the time of the C library: 32-bit systems have a second call for 64-bit times.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace loopscope::probes {

inline constexpr long kFutexTime64 = 422;

inline long futex(void* word, int operation, int value, const timespec* timeout) {
  constexpr bool kSecondCall = sizeof(long) == 4 && sizeof(time_t) == 8;
  constexpr long kCall = kSecondCall ? kFutexTime64 : SYS_futex;
  return ::syscall(kCall, word, operation, value, timeout, nullptr, 0);
}

}  // namespace loopscope::probes
