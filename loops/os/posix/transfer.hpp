// What a call that moves bytes says, as a Transfer.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <string_view>

#include "loops/os/net.hpp"

namespace loopscope::os {

inline bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

/// From the result of the call and errno. EINTR is retried by the caller.
inline Result<Transfer> transfer(ssize_t count, std::string_view op) {
  if (count >= 0) return Transfer(static_cast<std::size_t>(count));
  if (would_block()) return Transfer();
  return errno_error(op);
}

}  // namespace loopscope::os
