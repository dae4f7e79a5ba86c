// Waiting by poll(2), which counts milliseconds: rounded up. Darwin has no ppoll(2).
#include <algorithm>
#include <limits>

#include "loops/selector/poll_wait.hpp"

namespace loopscope {

int poll_for(pollfd* slots, nfds_t count, std::optional<Duration> timeout) {
  if (!timeout) return ::poll(slots, count, -1);
  const std::int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
  return ::poll(slots, count,
                static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max())));
}

}  // namespace loopscope
